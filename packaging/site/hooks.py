"""Links that leave docs/ lead to the repository: on the site those files are not there."""

import re

REPOSITORY = "https://github.com/mcpfunc/mcpfunc/blob/main/"


def on_page_markdown(markdown, page, **_):
    depth = page.file.src_uri.count("/") + 1

    def replace(match):
        target = match.group(1)
        ups = 0
        while target.startswith("../"):
            target, ups = target[3:], ups + 1
        return f"]({REPOSITORY}{target})" if ups == depth else match.group(0)

    return re.sub(r"\]\((\.\./[^)\s]+)\)", replace, markdown)
