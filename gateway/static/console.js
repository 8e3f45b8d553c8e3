// What pages need beyond htmx: a form that opens is given the focus, and closes without a request.
document.addEventListener("htmx:afterSwap", function (event) {
  if (event.detail.target.id !== "act") return;
  const wrong = event.detail.target.querySelector("[aria-invalid]") ;
  const first = wrong || event.detail.target.querySelector("input:not([type=hidden]), select, textarea, button");
  if (first) first.focus();
});
document.addEventListener("click", function (event) {
  const close = event.target.closest("[data-close]");
  if (close) document.getElementById("act").replaceChildren();
});
