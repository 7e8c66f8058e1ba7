"""A check as JUnit XML, which services for tests read: each kernel is a test case, and each finding another one."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from core.outside import cleaned
from core.topics.kernel_lab.checks.check import Check, Found


def junit(check: Check) -> str:
    """The document. A fault is a failure, a suppressed finding is skipped with its reason, and a remark passes."""
    root = ET.Element("testsuites", name="tilescope")
    suite = ET.SubElement(root, "testsuite", name="tilescope")
    for function, file, line in check.kernels:
        ET.SubElement(suite, "testcase", classname=file, name=function, file=file, line=str(line))
    for found in check.found:
        _add(suite, found)
    if check.result.failure:
        case = ET.SubElement(suite, "testcase", classname="tilescope", name="run")
        text = cleaned(str(check.result.failure))
        ET.SubElement(case, "error", message=text).text = cleaned(
            "\n".join([text, *(part.text for part in check.result.log)])
        )
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        count = str(sum(1 for _ in suite.iter(tag)))
        root.set(name, count)
        suite.set(name, count)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, found: Found) -> None:
    row, text = found.row, cleaned(found.text)
    name = f"{row.function}:{row.line}: {row.kind}"
    case = ET.SubElement(suite, "testcase", classname=row.file, name=name, file=row.file, line=str(row.line))
    if found.suppression is not None:
        ET.SubElement(case, "skipped", message=cleaned(found.suppression.reason)).text = text
    elif row.severity == "fault":
        ET.SubElement(case, "failure", message=text, type=row.kind).text = f"{row.file}:{row.line}: {text}"
    else:
        ET.SubElement(case, "system-out").text = f"{row.file}:{row.line}: {row.kind}: {text}"
