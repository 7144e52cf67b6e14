addEventListener("load", () => setTimeout(() => {
  // what scrolls must be reachable by the keyboard; the theme wraps tables when the page is ready
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap, .language-console code, .language-text code")) each.tabIndex = 0;
  // commands may wrap, and what a command prints may not
  for (const each of document.querySelectorAll(".language-text code")) if (/^(spikebench|pip|podman|make) /.test(each.textContent)) each.style.whiteSpace = "pre-wrap";
  // the landmark of the theme's copy button has no name, so that two of them are alike
  document.querySelectorAll(".md-code__nav").forEach((each, i) => each.setAttribute("aria-label", `Code ${i + 1}`));
  for (const each of document.querySelectorAll(".md-typeset table:not([class]) td")) {
    // a table scrolls, so that a sentence in it need not be squeezed to a word a line
    const letters = each.textContent.trim().length;
    if (letters > 24) each.style.minWidth = `${Math.min(10, letters / 5)}rem`;
    // a number stays beside its unit, and an interval on one line
    if (!each.children.length) each.textContent = each.textContent.replace(/\[[\d.,%x∞− -]*\]|^[\d.,]+ \S{1,3}$/g, (found) => found.replaceAll(" ", "\u00a0"));
  }
}));
