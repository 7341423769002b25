// Conveniences only: without this script the page says the same. Sorting moves whole findings, evidence included.
(() => {
  "use strict";
  const table = document.getElementById("findings-table");
  if (!table) return;
  const tools = document.querySelector(".tools");
  const search = document.getElementById("search");
  const unfold = document.getElementById("unfold");
  const shown = document.getElementById("shown");
  const bodies = Array.from(table.tBodies);
  const folds = bodies.map((body) => body.querySelector("details"));
  const texts = bodies.map((body) => body.rows[0].textContent.toLowerCase());
  const column = { customer: ".who", service: ".what", signal: ".why", status: ".status" };
  const numeric = new Set(["rank", "month", "amount", "runRate", "confidence"]);
  const money = new Set(["amount", "runRate"]);

  function order(key, direction) {
    return (a, b) => {
      // Amounts compare only within a currency.
      const currency = money.has(key) ? a.dataset.currency.localeCompare(b.dataset.currency) : 0;
      if (currency) return currency;
      const difference = numeric.has(key)
        ? Number(a.dataset[key]) - Number(b.dataset[key])
        : a.querySelector(column[key]).textContent.localeCompare(b.querySelector(column[key]).textContent);
      return direction * difference || Number(a.dataset.rank) - Number(b.dataset.rank);
    };
  }

  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => {
      const key = header.dataset.sort;
      const before = header.getAttribute("aria-sort");
      // Money and confidence are asked for largest first, everything else in reading order.
      const firstWay = money.has(key) || key === "confidence" ? "descending" : "ascending";
      const now = before ? (before === "ascending" ? "descending" : "ascending") : firstWay;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", now);
      bodies.slice().sort(order(key, now === "ascending" ? 1 : -1)).forEach((body) => table.append(body));
    });
  }

  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    bodies.forEach((body, i) => {
      body.hidden = !texts[i].includes(wanted);
      if (!body.hidden) count += 1;
    });
    shown.textContent = wanted ? `${count} of ${bodies.length} shown` : "";
  });

  unfold.addEventListener("click", () => {
    const open = unfold.getAttribute("aria-pressed") !== "true";
    unfold.setAttribute("aria-pressed", String(open));
    folds.forEach((fold) => { fold.open = open; });
  });

  // Paper cannot be unfolded.
  let wasOpen = [];
  addEventListener("beforeprint", () => {
    wasOpen = folds.map((fold) => fold.open);
    folds.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => folds.forEach((fold, i) => { fold.open = wasOpen[i]; }));

  tools.hidden = false;
})();
