// what scrolls must be reachable by the keyboard; the theme wraps tables when the page is ready
addEventListener("load", () => setTimeout(() => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap, .language-console code, .language-text code")) each.tabIndex = 0;
}));
