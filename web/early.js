/* Sets the colours before anything is drawn, so that a dark page does not flash. Everything else waits for the page. */
document.documentElement.dataset.theme = localStorage.getItem("parlor.theme") ?? "auto";
