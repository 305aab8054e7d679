// A page that nobody sees asks Redis for nothing.
document.addEventListener("visibilitychange", function () {
  AUTOREFRESH_FLAG = !document.hidden && document.getElementById("autorefresh-switch").checked ? 1 : 0;
});

// After each refresh: zeros step back, and a traceback shows its end, which says what happened.
new MutationObserver(function () {
  document.querySelectorAll("#queues td a").forEach(function (link) {
    link.classList.toggle("none", link.textContent === "0");
  });
  document.querySelectorAll("#jobs pre.exc_info").forEach(function (traceback) {
    traceback.scrollTop = traceback.scrollHeight;
  });
}).observe(document.querySelector(".section"), { childList: true, subtree: true });
