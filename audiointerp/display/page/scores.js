"use strict";

/* The table of all scores: a choice for each of its first columns leaves out the other rows. */

const ANY = "all";

function startScores(box) {
  const table = box.querySelector("[data-all-scores]");
  const bar = box.querySelector("[data-choices]");
  const count = box.querySelector("[data-score-count]");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const names = (row) => [...row.cells].map((cell) => cell.textContent);
  const choices = [];
  const draw = () => {
    let shown = 0;
    for (const row of rows) {
      const texts = names(row);
      const isShown = choices.every(
        ({ column, select }) => select.value === ANY || select.value === texts[column]
      );
      row.hidden = !isShown;
      shown += isShown;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
  };
  for (let column = 0; column < Number(table.dataset.names); column++) {
    const values = [...new Set(rows.map((row) => row.cells[column].textContent))];
    if (values.length > 1) {
      const select = document.createElement("select");
      select.append(...[ANY, ...values].map((name) => new Option(name)));
      select.addEventListener("change", draw);
      const label = element("label", `${heads[column]} `);
      label.append(select);
      bar.append(label);
      choices.push({ column, select });
    }
  }
  bar.append(count);
  bar.hidden = false;
  draw();
}
