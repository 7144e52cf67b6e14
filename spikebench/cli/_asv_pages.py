"""asv's pages without a network: the libraries that they take from other servers come from npm packages when published."""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

PACKAGES = {  # the end of an address in asv's index.html: the package, and the file in it
    "jquery-3.3.1.min.js": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot@0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin@1.1.3", "stupidtable.min.js"),
    "md5.min.js": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}
_LINK = re.compile(
    r'(src|href)="https://[^"]*/([^"/]+\.(?:js|css))"((?:\s+(?:integrity|crossorigin|referrerpolicy)="[^"]*")*)'
)
PATIENCE = 120  # seconds that npm may take


def bring_libraries(html: Path, kept: Path) -> str | None:
    """Put the libraries of asv's pages beside them and link them there; why not, if that failed.

    `kept` holds the packages from one time to the next. The pages still are for a web server: `spikebench asv preview`.
    """
    index = html / "index.html"
    text = index.read_text(encoding="utf-8")
    wanted = [m[2] for m in _LINK.finditer(text)]
    if unknown := [name for name in wanted if name not in PACKAGES]:
        return f"asv links {', '.join(unknown)}, which no package is named for here"
    if why := _fetch(sorted({PACKAGES[name][0] for name in wanted}), kept):
        return why
    (html / "vendor").mkdir(exist_ok=True)
    for name in wanted:
        package, path = PACKAGES[name]
        with tarfile.open(_archive(kept, package)) as archive:
            content = archive.extractfile(f"package/{path}")
            if content is None:
                return f"{package} holds no {path}"
            (html / "vendor" / name).write_bytes(content.read())
    index.write_text(_LINK.sub(r'\1="vendor/\2"', text), encoding="utf-8")
    return None


def _archive(kept: Path, package: str) -> Path:
    return kept / f"{package.replace('@', '-')}.tgz"


def _fetch(packages: list[str], kept: Path) -> str | None:
    """Packages that are not kept yet, from npm, which checks what it fetches; why not, if that failed."""
    missing = [p for p in packages if not _archive(kept, p).exists()]
    if not missing:
        return None
    if shutil.which("npm") is None:
        return "npm is not installed"
    kept.mkdir(parents=True, exist_ok=True)
    line = ["npm", "pack", "--silent", *missing]
    try:
        done = subprocess.run(line, cwd=kept, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return f"npm took more than {PATIENCE} s"
    lost = [p for p in missing if not _archive(kept, p).exists()]
    return f"npm did not give {', '.join(lost)}: {(done.stderr.strip() or 'no reason')[:200]}" if lost else None
