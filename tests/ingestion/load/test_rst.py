"""reStructuredText: directives, fields, tables and inline marks."""

from ingestion.load import read
from tests.ingestion.load.blocks import blocks_of, plain

PAGE = """
.. _lamps:

=====
Lamps
=====

.. |hub| replace:: Hub Two

A *lamp* is **bright**; see :ref:`the hub <hub>`, :py:class:`~glow.Lamp` and
`its site <https://glow.example>`_ with ``glow -N`` on |hub| [1]_.

Options
-------

-q, --quiet   Say nothing.
-c NAME       The colour.

amber
    The default, which is
    bright.

:since: 2.1

Type::

    glow -N
      lamp-1

.. note:: Lamps
   are hot.

.. code-block:: python
   :linenos:

   glow()

.. option:: --all, -a

   Drives all
   lamps.

   .. versionadded:: 2.0

.. function:: glow(lamp, *, colour=None)
              glow(lamps)

   Drives one or several.

.. list-table:: Watts
   :header-rows: 1

   * - Name
     - Watts
   * - amber
     - 8

.. csv-table::
   :header: Name, Watts

   white, "9, at most"

.. toctree::

   hub

.. A comment that
   nobody reads.

* one
* two
  lines

.. [1] Of the second kind.
"""


def test_every_part_of_a_page_is_what_it_says() -> None:
    assert read(PAGE.encode(), "a.rst").title == "Lamps"
    assert blocks_of(PAGE, "a.rst") == [
        ("heading", "Lamps", 0),
        (
            "paragraph",
            "A lamp is bright; see the hub, Lamp and its site with glow -N on Hub Two [1].",
            0,
        ),
        ("heading", "Options", 0),
        ("term", "-q, --quiet", 0),
        ("paragraph", "Say nothing.", 1),
        ("term", "-c NAME", 0),
        ("paragraph", "The colour.", 1),
        ("term", "amber", 0),
        ("paragraph", "The default, which is bright.", 1),
        ("row", "since: 2.1", 0),
        ("paragraph", "Type:", 0),
        ("code", "glow -N\n  lamp-1", 0),
        ("paragraph", "Lamps are hot.", 0),
        ("code", "glow()", 0),
        ("term", "--all, -a", 0),
        ("paragraph", "Drives all lamps.", 1),
        ("paragraph", "Added in version 2.0.", 1),
        ("term", "glow(lamp, *, colour=None), glow(lamps)", 0),
        ("paragraph", "Drives one or several.", 1),
        ("paragraph", "Watts", 0),
        ("row", "Name: amber; Watts: 8", 0),
        ("row", "Name: white; Watts: 9, at most", 0),
        ("item", "one", 0),
        ("item", "two lines", 0),
        ("paragraph", "Of the second kind.", 0),
    ]


def test_headings_rank_by_their_signs_in_the_order_in_which_they_come() -> None:
    page = "####\nTop\n####\n\nPart\n~~~~\n\nSmaller\n^^^^^^^\n\nText.\n\nNext\n~~~~\n\nText.\n"
    headings = [(b.text, b.level) for b in read(page.encode(), "a.rst").blocks if b.kind == "heading"]
    assert headings == [("Top", 1), ("Part", 2), ("Smaller", 3), ("Next", 2)]


def test_signs_within_words_are_no_marks() -> None:
    assert plain("Set work_mem to 2*3*4 and C:\\\\temp; snake_case_names stay.\n", "a.rst") == [
        ("paragraph", "Set work_mem to 2*3*4 and C:\\temp; snake_case_names stay.")
    ]
