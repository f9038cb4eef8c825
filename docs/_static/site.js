// What the theme leaves out for readers without a mouse or a screen.
document.addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.setAttribute("aria-level", "2");
  for (const box of document.querySelectorAll(".table-wrapper, figure, pre")) box.tabIndex = 0; // it can be scrolled by keys
});
