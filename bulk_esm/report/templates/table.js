
// The table of mappings: filtered, sorted, a page at a time; a row opens to all that is known of its mapping.
(function () {
  const place = document.getElementById("table"), SIZE = 25;
  const columns = Object.fromEntries(data.columns.map((name, number) => [name, number]));
  const POINTS = ["function", "source", "source_type", "shard", "outcome", "state", "change", "error"];
  const rows = data.rows.map((row) => {
    const found = Object.fromEntries(Object.entries(columns).map(([name, number]) => [name, row[number]]));
    for (const name of POINTS) found[name] = data.strings[found[name]];
    found.why = found.error || found.change;
    found.text = [found.uuid, found.function, found.source, found.shard, found.change, found.error, found.request_id || ""].join("\n").toLowerCase();
    return found;
  });
  if (!rows.length) return place.append(make("p", { class: "aside" }, "There are none."));

  const SHOWN = [
    ["function", "Function"], ["source_type", "Source"], ["outcome", data.isPlan ? "Action" : "Outcome"],
    ...(data.isFleet ? [["shard", "Shard"]] : []),
    ...(data.isPlan ? [] : [["wave", "Wave", "number"], ["duration_s", "Took", "number"]]),
    ["why", data.isPlan ? "Change, or why not" : "Change, or what went wrong"],
  ];
  const TONES = { updated: "good", update: "good", failed: "bad", timed_out: "late", conflict: "other", blocked: "wait" };
  let sortedBy = null, ascending = true, first = 0, wanted = rows;
  const opened = new Set();

  const search = make("input", { type: "search", id: "search", placeholder: "orders, 3f2a, BatchSize", oninput: choose, autocomplete: "off" });
  const outcome = chooser("outcome", "All"), sourceType = chooser("source_type", "All");
  const shard = data.isFleet ? chooser("shard", "All") : null;
  const wave = data.isPlan ? null : chooser("wave", "All");
  const status = make("span", { class: "rest", role: "status" });
  const head = make("tr"), body = make("tbody");
  const back = make("button", { type: "button", onclick: () => turn(-SIZE) }, "Back");
  const on = make("button", { type: "button", onclick: () => turn(SIZE) }, "Next");
  const pages = make("span");
  for (const [name, label, kind] of SHOWN) {
    head.append(make("th", { scope: "col", class: kind, "aria-sort": "none", "data-column": name }, make("button", { type: "button", onclick: () => sort(name) }, label)));
  }
  const labelled = (label, element) => element && make("label", {}, label, element);
  place.append(
    make("div", { class: "tools" },
      make("label", { class: "grows" }, "Search names, UUIDs, changes and errors", search),
      labelled(data.isPlan ? "Action" : "Outcome", outcome), labelled("Source type", sourceType), labelled("Shard", shard), labelled("Wave", wave), status),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table: mappings" },
      make("table", {}, make("caption", { class: "hidden" }, "Mappings; column headers sort"), make("thead", {}, head), body)),
    make("div", { class: "pages" }, back, pages, on));

  function chooser(name, all) {
    const counts = new Map();
    for (const row of rows) counts.set(row[name], (counts.get(row[name]) || 0) + 1);
    const order = (one, other) => typeof one === "number" ? one - other : one < other ? -1 : 1;
    const options = [...counts.keys()].sort(order).map((value) =>
      make("option", { value }, `${name === "outcome" ? words(value) : value === 0 ? "-" : value} (${count(counts.get(value))})`));
    return make("select", { id: `choose-${name}`, onchange: choose }, make("option", { value: "" }, all), ...options);
  }

  function choose() {
    const sought = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = [[outcome, "outcome"], [sourceType, "source_type"], [shard, "shard"], [wave, "wave"]].filter(([element]) => element && element.value);
    wanted = rows.filter((row) => chosen.every(([element, name]) => String(row[name]) === element.value) && sought.every((word) => row.text.includes(word)));
    first = 0;
    order();
  }

  function sort(name) {
    ascending = sortedBy === name ? !ascending : name !== "duration_s";
    sortedBy = name;
    first = 0;
    order();
  }

  function order() {
    if (sortedBy) {
      const sign = ascending ? 1 : -1;
      const compared = (one, other) => one === other ? 0 : one === null ? 1 : other === null ? -1 : sign * (one < other ? -1 : 1);
      wanted = [...wanted].sort((one, other) => compared(one[sortedBy], other[sortedBy]));
    }
    render();
  }

  function turn(by) {
    first = Math.max(0, Math.min(first + by, Math.floor((wanted.length - 1) / SIZE) * SIZE));
    render();
  }

  function render() {
    for (const header of head.children) {
      header.setAttribute("aria-sort", header.dataset.column === sortedBy ? (ascending ? "ascending" : "descending") : "none");
    }
    body.replaceChildren(...wanted.slice(first, first + SIZE).flatMap(rowsOf));
    const last = Math.min(first + SIZE, wanted.length);
    status.textContent = wanted.length === rows.length ? `${count(rows.length)} mappings` : `${count(wanted.length)} of ${count(rows.length)} mappings`;
    pages.textContent = wanted.length ? `${count(first + 1)} to ${count(last)} of ${count(wanted.length)}` : "Nothing fits";
    back.disabled = first === 0;
    on.disabled = last >= wanted.length;
  }

  function rowsOf(row) {
    const isOpen = opened.has(row), tone = TONES[row.outcome];
    const open = make("button", { type: "button", class: "opens", "aria-expanded": String(isOpen), onclick: () => toggle(row) }, row.function);
    const cells = {
      function: () => make("th", { scope: "row", class: "name" }, open),
      outcome: () => make("td", { class: `nowrap${tone ? ` text-${tone}` : ""}` }, row.outcome === "none" ? "no result" : words(row.outcome)),
      wave: () => make("td", { class: "number" }, row.wave ? String(row.wave) : "-"),
      duration_s: () => make("td", { class: "number" }, row.update_calls ? duration(row.duration_s) : "-"),
      why: () => make("td", { class: "what" }, make("span", {}, row.why || "-")),
    };
    const plain = (name) => make("td", { class: "nowrap" }, row[name]);
    const shown = make("tr", {}, ...SHOWN.map(([name]) => (cells[name] || (() => plain(name)))()));
    return isOpen ? [shown, make("tr", { class: "more" }, make("td", { colspan: SHOWN.length }, details(row)))] : [shown];
  }

  function details(row) {
    const told = [
      ["Mapping", row.uuid], ["Source", row.source], ["Shard", row.shard], ["State", row.state], ["Change", row.change],
      ["What went wrong", row.error], ["Request id", row.request_id], ["Updates sent", row.update_calls || null],
      ["Accepted", moment(row.accepted)], ["Settled", moment(row.settled)], ["Ended", moment(row.ended)],
    ];
    return make("dl", {}, ...told.filter(([, value]) => value).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  }

  const moment = (milliseconds) => milliseconds === null ? null : clock(milliseconds / 1000);

  function toggle(row) {
    if (!opened.delete(row)) opened.add(row);
    const number = [...body.querySelectorAll("button.opens")].indexOf(document.activeElement);
    render();
    body.querySelectorAll("button.opens")[number]?.focus();
  }

  render();
})();
