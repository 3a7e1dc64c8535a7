"""Hooks of mkdocs (1.4 or newer): the pages are all Markdown files of the repository, where they stand, their pictures, and
the sources that they link to, with numbered lines."""
import html
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def markdown_files():
    for path in sorted(ROOT.rglob("*.md")):
        folder = path.relative_to(ROOT).parts[0]
        if not folder.startswith(("build", "runs", ".")):
            yield path


def is_source(target, page):
    """Whether a link of a page leads to a file of the repository that is neither page nor picture."""
    return "://" not in target and Path(target).suffix not in (".md", ".svg", ".png") and (page.parent / target).is_file()


def on_config(config):
    config["mdx_configs"]["toc"] = {"slugify": github_anchor}
    return config


def github_anchor(heading, separator):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_files(files, config):
    theme = [file for file in files if ROOT not in Path(file.abs_src_path).parents]
    names = set()
    for page in markdown_files():
        names.add(page)
        names.update(page.parent.glob("*.svg"))
        for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            if is_source(target, page):
                names.add(Path(str((page.parent / target).resolve()) + ".md"))  # a page, too: on_page_read_source writes it
    paths = sorted(name.relative_to(ROOT).as_posix() for name in names)
    return Files(theme + [File(path, str(ROOT), config["site_dir"], config["use_directory_urls"]) for path in paths])


def on_page_read_source(page, config):
    path = Path(page.file.abs_src_path)
    if path.exists():
        return None
    source = path.with_suffix("")
    lines = source.read_text(encoding="utf-8").splitlines()
    numbered = "\n".join(f'<span id="L{n}">{n:4}  {html.escape(line)}</span>' for n, line in enumerate(lines, 1))
    return f"# {source.relative_to(ROOT).as_posix()}\n\n<pre>{numbered}</pre>\n"


def on_page_markdown(markdown, page, config, files):
    here = Path(page.file.abs_src_path)

    def to_page(link):
        target, anchor = link.groups()
        return f"]({target}.md{anchor or ''})" if is_source(target, here) else link.group()

    return LINK.sub(to_page, markdown)
