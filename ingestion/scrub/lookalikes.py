"""Versions, sections, networks and numbers of parts, which have the form of addresses and are none."""

import ipaddress
import re

_CONTEXT_CHARS = 60
# After one of these words four numbers are a version or a section, unless the last word says that they are an address.
_VERSION = re.compile(
    r"(?:\b(?:versions?|firmware|releases?|released|build|update|upstream|software|driver|revision|rev|sections?|chapters?"
    r"|clauses?|paragraphs?|appendix|annex|figures?|tables?|items?|rule|oid|kapitel|abschnitt|abs|ziffer|secci[oó]n|cap[ií]tulo"
    r"|libs?|package|patch|v|ver)(?: (?:before|since|until|from|of|prior to|below|than|to|is|was))?|[§(])[\W_]{0,3}\Z",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\b(?:ip|ipv[46]|ips|hosts?|hostname|address(?:es)?|addr|inet|server|client|peer|gateway|router|dns|nameserver|proxy|ping"
    r"|ssh|telnet|curl|login|logged|visitor|listen\w*|bind|connect\w*|subnet|netmask|route|network|src|dst|lan|wan|adresse"
    r"|direcci[oó]n)\b",
    re.IGNORECASE,
)
_SURE_ADDRESS = re.compile(
    r"\b(?:ip|ipv[46]|ips|inet|hostaddr|addr|address(?:es)?|ping|dns)\W{0,4}\Z", re.IGNORECASE
)
_HARDWARE = re.compile(
    r"\b(?:mac|ether(?:net)?|hw|hwaddr|hardware|interface|arp|bssid|wi-?fi|wlan|device|address)\b",
    re.IGNORECASE,
)
# Four numbers below this are a version or a section sooner than an address.
_SMALL = 64


def is_no_ip_address(text: str, start: int, end: int) -> bool:
    """Whether it is a version, a section, a network or what means this machine or all: none of them is anybody's."""
    value = text[start:end].partition("%")[0]
    before, after = text[max(0, start - _CONTEXT_CHARS) : start], text[end : end + _CONTEXT_CHARS]
    try:
        address = ipaddress.ip_interface(value)
    except ValueError:
        return True
    if _is_nobodys(address, value):
        return True
    if address.version == 6:
        return _is_name_with_colons(value, before, after)
    return not _SURE_ADDRESS.search(before) and _is_version(value.partition("/")[0], before, after)


def _is_nobodys(address: ipaddress.IPv4Interface | ipaddress.IPv6Interface, value: str) -> bool:
    ip = address.ip
    if ip.is_loopback or ip.is_unspecified or ip.is_multicast:
        return True
    if isinstance(ip, ipaddress.IPv4Address) and (value.startswith(("255.", "0.")) or value.endswith(".255")):
        return True
    return "/" in value and ip == address.network.network_address and address.network.num_addresses > 1


def _is_name_with_colons(value: str, before: str, after: str) -> bool:
    """Names of programs have two colons too, but few groups and hardly a digit."""
    groups = [group for group in value.split(":") if group]
    if len(groups) == 8 and all(len(group) == 2 for group in groups):
        return True  # EUI-64: the address of a device
    if before and before[-1] in "'\")]>}":
        return True  # a cast: 'x'::bit
    if len(groups) < 3 and not _ADDRESS.search(before):
        return True
    return not any(c.isdigit() for c in value) or bool(re.match(r"[-.(]\w|\(", after))


def _is_version(value: str, before: str, after: str) -> bool:
    # More numbers, or letters, belong to it: 1.3.6.1.4.1, 10.0.0.1-3, lib-1.2.3.4.
    if re.match(r"\.\d|[-+~]\w|rc\d|\.x\b", after) or re.search(r"\d\.\Z|[^\W\d_][-_/.]\Z", before):
        return True
    if _VERSION.search(before):
        return True
    numbers = [int(number) for number in value.split(".")]
    is_small = all(number < _SMALL for number in numbers)
    return is_small and not _ADDRESS.search(before) and not re.match(r":\d", after)


def is_no_mac_address(text: str, start: int, end: int) -> bool:
    """Whether it is a number of a part or a time: groups without letters, or groups of four that nothing calls hardware."""
    value = text[start:end]
    letters = sum(any(c.isalpha() for c in group) for group in re.split("[:.-]", value))
    around = text[max(0, start - _CONTEXT_CHARS) : end + _CONTEXT_CHARS]
    if "." in value or not letters:
        return letters < 2 and _HARDWARE.search(around) is None
    return False


# A number after one of these words belongs to a business, not to a person.
_BUSINESS_ID = re.compile(
    r"\b(?:orders?|purchases?|invoices?|bills?|tickets?|references?|ref|cases?|articles?|items?|sku|serial|tracking|parcel"
    r"|shipment|contract|customer|part|model|version|bestell\w*|auftrag\w*|rechnung\w*|vorgang\w*|kundennummer|artikel\w*"
    r"|pedidos?|facturas?|commandes?|ordine|fattura|encomenda|zamówienie)[ \t]*"
    r"(?:number|num|no|nr|id|code|nummer|número|numéro|numero)?[ \t.:#°-]*(?:is|was|ist|es)?[ \t:#]*$",
    re.IGNORECASE,
)


def follows_business_word(text: str, start: int) -> bool:
    """Whether what begins at `start` is the number of an order, an article or a contract, as the words before it say."""
    return _BUSINESS_ID.search(text[max(0, start - _CONTEXT_CHARS) : start]) is not None
