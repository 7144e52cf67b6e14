// wide tables scroll, so that they must be reachable by the keyboard; the theme wraps them when the page is ready
addEventListener("load", () => setTimeout(() => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap")) each.tabIndex = 0;
}));
