"""`python -m tests.support.corpus`: makes the files of tests/data/files that python-docx and python-pptx can make.

The others were made by inserting Word's and PowerPoint's own markup into these. The YAML files beside them list the
words that each file must contain, and the words that it must not.
"""

from pathlib import Path

import docx
import pptx
from docx.enum.section import WD_SECTION
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

FILES = Path(__file__).parents[1] / "data" / "files"


def report() -> None:
    """Sections with headers and footers of several kinds, comments, and tables with merged cells."""
    document = docx.Document()
    first = document.sections[0]
    first.different_first_page_header_footer = True
    first.first_page_header.paragraphs[0].text = "firstheaderword"
    first.header.paragraphs[0].text = "repeatedheaderword"
    first.footer.paragraphs[0].text = "repeatedfooterword"
    document.settings.odd_and_even_pages_header_footer = True
    first.even_page_header.paragraphs[0].text = "evenheaderword"
    document.add_heading("headingword")
    runs = document.add_paragraph("plainword").runs
    document.add_comment(runs, text="commentword", author="A reader")
    table = document.add_table(rows=4, cols=4)
    table.cell(0, 0).merge(table.cell(0, 3)).text = "acrossword"
    table.cell(1, 0).merge(table.cell(3, 0)).text = "downword"
    table.cell(1, 1).add_table(rows=1, cols=2).cell(0, 1).text = "innertableword"
    table.cell(3, 3).text = "lastcellword"
    second = document.add_section(WD_SECTION.NEW_PAGE)
    second.header.is_linked_to_previous = False
    second.header.paragraphs[0].text = "repeatedheaderword"
    second.footer.is_linked_to_previous = False
    second.footer.paragraphs[0].text = "secondfooterword"
    document.add_paragraph("listword", style="List Number")
    document.save(str(FILES / "report.docx"))


def charts() -> None:
    """Slides with charts, a group, a table, notes, and a title."""
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "slidetitleword"
    bars = CategoryChartData()
    bars.categories = ["eastcategoryword", "westcategoryword"]
    bars.add_series("firstseriesword", (19.2, 21.4))
    bars.add_series("secondseriesword", (22.3, 28.6))
    place = (Inches(1), Inches(1), Inches(4), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, bars).chart  # type: ignore[attr-defined]
    chart.has_title = True
    chart.chart_title.text_frame.text = "charttitleword"
    chart.category_axis.has_title = True
    chart.category_axis.axis_title.text_frame.text = "axistitleword"
    points = XyChartData()
    series = points.add_series("pointsseriesword")
    series.add_data_point(0.1 + 0.2, 2.7)
    slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, *place, points)  # type: ignore[arg-type]
    group = slide.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(*place).text_frame.text = "groupedword"
    table = slide.shapes.add_table(2, 2, *place).table  # type: ignore[attr-defined]
    table.cell(0, 0).merge(table.cell(0, 1))
    table.cell(0, 0).text, table.cell(1, 1).text = "mergedcellword", "othercellword"
    notes = slide.notes_slide.notes_text_frame
    assert notes is not None
    notes.text = "notesword"
    presentation.save(str(FILES / "charts.pptx"))


def main() -> None:
    report()
    charts()


if __name__ == "__main__":
    main()
