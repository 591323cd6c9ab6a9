"""Man pages, as they are written and as they are shown."""

import gzip

import pytest

from ingestion.errors import SourceError
from ingestion.load import read
from tests.ingestion.load.blocks import blocks_of, plain

SHOWN = """GLOW(1)                     General Commands Manual                     GLOW(1)

NAME
     glow – drive a lamp

SYNOPSIS
     glow [-Nq] [-c colour]
          [lamp ...]

DESCRIPTION
     glow drives lamps over the network.  It looks for them, and com‐
     mands them in the order in which they were found and which is a well-
     known one.

     -N      Do not switch anything.  This is useful for just looking at the
             lamps that there are.

     -q      Say nothing.

     -c colour
             The colour in which the lamp shines.

             amber   The default.

             white   For reading at a desk on which nothing else shines, as it
                     is brighter.

     --silent Says less than nothing, as its name tells everybody who reads.

     The following shows all lamps:

           $ glow -N
           lamp-1 amber

EXIT STATUS
     0       All went well.

     3       No lamp was found.

SEE ALSO
     hub(1)

Hub 2.1                          June 1, 2026                          Hub 2.1
"""


def test_a_page_as_it_is_shown_keeps_options_with_their_explanation() -> None:
    assert read(SHOWN.encode(), "glow.1.txt").title == "glow(1): drive a lamp"
    found = blocks_of(SHOWN, "glow.1.txt")
    assert found[3] == ("code", "glow [-Nq] [-c colour]\n     [lamp ...]", 0)
    assert found[5] == (
        "paragraph",
        "glow drives lamps over the network. It looks for them, and commands them in the order in which they were found and"
        " which is a well-known one.",
        0,
    )
    assert found[6:19] == [
        ("term", "-N", 0),
        (
            "paragraph",
            "Do not switch anything. This is useful for just looking at the lamps that there are.",
            1,
        ),
        ("term", "-q", 0),
        ("paragraph", "Say nothing.", 1),
        ("term", "-c colour", 0),
        ("paragraph", "The colour in which the lamp shines.", 1),
        ("term", "amber", 1),
        ("paragraph", "The default.", 2),
        ("term", "white", 1),
        ("paragraph", "For reading at a desk on which nothing else shines, as it is brighter.", 2),
        ("paragraph", "--silent Says less than nothing, as its name tells everybody who reads.", 0),
        ("paragraph", "The following shows all lamps:", 0),
        ("code", "$ glow -N\nlamp-1 amber", 0),
    ]
    assert found[20:24] == [
        ("term", "0", 0),
        ("paragraph", "All went well.", 1),
        ("term", "3", 0),
        ("paragraph", "No lamp was found.", 1),
    ]
    assert not any("June" in text or "General Commands" in text for _, text, _ in found)


MAN = r""".\" A comment
.TH GLOW 1 "June 2026" "Hub 2.1"
.de Q
This is never seen.
..
.ds pr glow
.SH NAME
glow \- drive a \(lqlamp\(rq
.SH OPTIONS
.PP
\*(pr knows:
.TP
.BR \-a ", " \-\-all
Drive all lamps; see
.BR hub (1)
for more.
.IP
It\(aqs slow.
.TP
.B \-q
.TQ
.B \-\-quiet
Say nothing.
.RS
.IP \(bu 2
Not even errors.
.RE
.IP "\fB\-\-colour\fR \fIname\fR" 4
One of:
.RS 4
.TP
amber
the default
.RE
.PP
.nf
$ glow \-a \e
    \-q
.fi
.if t .br Only for typesetters.
.if n \{\
For terminals.
.\}
.ie t not this
.el but this
.unknown macro text
.PP
\fBstrange\-setting\fR
.RS 4
Defaults to \fIno\fR.
.RE
"""


def test_the_macros_of_man_become_terms_items_and_code() -> None:
    assert read(MAN.encode(), "glow.1").title == "glow(1): drive a “lamp”"
    assert blocks_of(MAN, "glow.1")[3:] == [
        ("paragraph", "glow knows:", 0),
        ("term", "-a, --all", 0),
        ("paragraph", "Drive all lamps; see hub(1) for more.", 1),
        ("paragraph", "It's slow.", 1),
        ("term", "-q, --quiet", 0),
        ("paragraph", "Say nothing.", 1),
        ("item", "Not even errors.", 1),
        ("term", "--colour name", 0),
        ("paragraph", "One of:", 1),
        ("term", "amber", 1),
        ("paragraph", "the default", 2),
        ("code", "$ glow -a \\\n    -q", 0),
        ("paragraph", "For terminals. but this macro text", 0),
        ("term", "strange-setting", 0),
        ("paragraph", "Defaults to no.", 1),
    ]


MDOC = r""".Dd June 1, 2026
.Dt GLOW 1
.Os
.Sh NAME
.Nm glow
.Nd drive a lamp
.Sh SYNOPSIS
.Nm glow
.Op Fl Nq
.Op Fl c Ar colour
.Ar lamp ...
.Sh DESCRIPTION
.Nm
drives lamps (see
.Xr hub 1 ) .
.Bl -tag -width Ds
.It Fl N
Do nothing with
.Dq all
of them.
.It Fl c Ar colour , Fl -colour Ns = Ns Ar colour
The colour:
.Bl -bullet
.It
.Li amber ,
or
.It
white
.El
.It Fl q
Says nothing.
.El
.Pp
Try:
.Bd -literal -offset indent
$ glow -N
    lamp-1
.Ed
.Bl -column "name" "watts"
.It Sy Name Ta Sy Watts
.It amber Ta 8
.El
.Dl glow -q
.Sh EXIT STATUS
.Ex -std
"""


def test_the_macros_of_mdoc_become_terms_items_and_code() -> None:
    assert read(MDOC.encode(), "glow.1").title == "glow(1): drive a lamp"
    assert blocks_of(MDOC, "glow.1")[3:] == [
        ("paragraph", "glow [-Nq] [-c colour] lamp ...", 0),
        ("heading", "DESCRIPTION", 0),
        ("paragraph", "glow drives lamps (see hub(1)).", 0),
        ("term", "-N", 0),
        ("paragraph", "Do nothing with “all” of them.", 1),
        ("term", "-c colour, --colour=colour", 0),
        ("paragraph", "The colour:", 1),
        ("item", "amber, or", 1),
        ("item", "white", 1),
        ("term", "-q", 0),
        ("paragraph", "Says nothing.", 1),
        ("paragraph", "Try:", 0),
        ("code", "$ glow -N\n    lamp-1", 0),
        ("row", "Name; Watts", 0),
        ("row", "amber; 8", 0),
        ("code", "glow -q", 0),
        ("heading", "EXIT STATUS", 0),
        ("paragraph", "The glow utility exits 0 on success, and >0 if an error occurs.", 0),
    ]


def test_a_table_of_a_page_is_rows() -> None:
    page = (
        ".TH A 1\n.SH B\n.TS\ntab(@) allbox;\nl l.\nName@Watts\n_\namber@T{\neight\nwatts\nT}\nwhite@9\n.TE\n"
    )
    assert plain(page, "a.1")[1:] == [
        ("row", "Name: amber; Watts: eight watts"),
        ("row", "Name: white; Watts: 9"),
    ]


def test_a_page_that_only_points_to_another_is_refused() -> None:
    with pytest.raises(SourceError, match=r"points to 'man1/glow.1'"):
        read(b".so man1/glow.1\n", "shine.1")


@pytest.mark.parametrize(
    "name", ["glow.1", "glow.5", "glow.1ssl", "glow.3pm", "glow.man", "glow.1.gz", "GLOW.1.GZ"]
)
def test_pages_of_every_section_are_read_packed_too(name: str) -> None:
    data = gzip.compress(MAN.encode()) if name.lower().endswith(".gz") else MAN.encode()
    assert read(data, name).title == "glow(1): drive a “lamp”"


def test_a_file_that_only_ends_like_a_page_is_text() -> None:
    assert plain("The hub is silent.\n", "notes-2.1") == [("paragraph", "The hub is silent.")]


@pytest.mark.parametrize(
    "page",
    [
        ".TH\n.SH\n.TP\n.RE\n.RE\n.IP\n.fi\n.TE\n.TS\n",
        ".Dt\n.Sh\n.It\n.El\n.Ed\n.Bl\n.It Xo\n.Xc\n.Op\n.Fl\n",
        ".TH A 1\n.if\n.ie\n.el\n.de\n",
        ".TH A 1\n.ds\n.SH A\n\\*[x] \\(zz \\[nothing] \\f \\s \\h'\\\\\n",
    ],
)
def test_a_torn_page_is_read(page: str) -> None:
    read(f"{page}\n.SH Z\nText.\n".encode(), "a.1")
