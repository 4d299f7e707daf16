
// The time line: updates accepted and settled, waves and soaks behind them, and what happened below.
(function () {
  const line = data.timeline, place = document.getElementById("chart");
  if (!line || !place) return;
  const LEFT = 52, RIGHT = 14, TOP = 24, PLOT = 240, LANE = 22, LANES = ["gate", "control", "trouble", "run"];
  const lanes = LANES.filter((lane) => line.happenings.some((one) => one[1] === lane));
  const HEIGHT = TOP + PLOT + 26 + lanes.length * LANE + 8;
  const end = Math.max(line.end, 0.001);
  const top = Math.max(1, ...["accepted", "settled"].map((name) => (line[name].at(-1) || [0, 0])[1]));
  let from = 0, to = end, cursor = end, chosen = null;

  const drawing = make("div", {
    class: "drawing", tabindex: "0", role: "slider", "aria-label": "Moment of the time line",
    "aria-orientation": "horizontal", "aria-describedby": "chart-keys",
  });
  const reading = make("p", { class: "reading" });
  const parts = make("select", { id: "part", onchange: () => showPart(Number(parts.value)) }, make("option", { value: "-1" }, "Whole run"));
  line.spans.forEach(([, label], number) => parts.append(make("option", { value: number }, label)));
  const out = make("button", { type: "button", onclick: () => zoom(2), disabled: true }, "Zoom out");
  place.append(
    make("div", { class: "tools" },
      make("label", {}, "Part", parts),
      make("button", { type: "button", onclick: () => zoom(0.5) }, "Zoom in"), out,
      make("span", { class: "rest" }, "Drag over a part to zoom; double-click for the whole"),
      make("span", { class: "hidden", id: "chart-keys" }, "Left and right move, plus and minus zoom, 0 shows the whole run.")),
    drawing, legend(), reading);

  function legend() {
    const items = [["accepted", "accepted"], ["settled", "settled"]];
    if (line.floor.length) items.push(["floor", `as fast as ${line.rate} requests/s allow`]);
    return make("ul", { class: "legend" }, ...items.map(([name, label]) =>
      make("li", {}, draw("svg", { width: 26, height: 10, "aria-hidden": "true" }, draw("path", { class: `series ${name}`, d: "M0 5H26" })), label)));
  }

  function showPart(number) {
    if (number < 0) return show(0, end);
    const [, , began, ended] = line.spans[number], room = Math.max((ended - began) * 0.05, 0.05);
    show(began - room, ended + room);
  }

  function zoom(factor) {
    const width = (to - from) * factor, middle = cursor >= from && cursor <= to ? cursor : (from + to) / 2;
    show(middle - width / 2, middle + width / 2);
  }

  function show(left, right) {
    const width = Math.min(end, Math.max(right - left, end / 100000, 0.01));
    from = Math.min(Math.max(0, left), end - width);
    to = from + width;
    cursor = Math.min(to, Math.max(from, cursor));
    out.disabled = width >= end;
    if (width >= end) parts.value = "-1";
    render();
  }

  // How many there were by a moment; of the floor, whose points are bends, on the way between two.
  function at(points, moment, slopes) {
    let low = 0, high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= moment) low = middle + 1; else high = middle;
    }
    if (!low) return 0;
    const [began, number] = points[low - 1], next = points[low];
    if (!slopes || !next || next[0] === began) return number;
    return Math.round(number + (next[1] - number) * (moment - began) / (next[0] - began));
  }

  function path(points, x, y, slopes) {
    const seen = points.filter(([moment]) => moment > from && moment < to);
    let found = `M${x(from)} ${y(at(points, from, slopes))}`;
    for (const [moment, number] of seen) found += slopes ? `L${x(moment)} ${y(number)}` : `H${x(moment)}V${y(number)}`;
    return found + (slopes ? `L${x(to)} ${y(at(points, to, true))}` : `H${x(to)}`);
  }

  function steps(most, room) {
    const raw = most / room, power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= raw);
  }

  const CLOCK = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800];

  function since(seconds, step) {
    const whole = Math.floor(seconds + 1e-6), two = (number) => String(number).padStart(2, "0");
    const part = step < 1 ? (seconds - whole).toFixed(step < 0.1 ? 2 : 1).slice(1) : "";
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}${part}`;
  }

  function render() {
    const width = Math.max(280, drawing.clientWidth || 800), inner = width - LEFT - RIGHT;
    const x = (moment) => Math.round((LEFT + inner * (moment - from) / (to - from)) * 10) / 10;
    const y = (number) => Math.round((TOP + PLOT * (1 - number / top)) * 10) / 10;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, "aria-hidden": "true", focusable: "false" });
    const clip = draw("clipPath", { id: "plot" }, draw("rect", { x: LEFT, y: 0, width: inner, height: HEIGHT }));
    const bands = draw("g", { "clip-path": "url(#plot)" }), inside = draw("g", { "clip-path": "url(#plot)" });
    svg.append(draw("defs", {}, clip), bands);
    let labelled = -Infinity;
    for (const [kind, label, began, ended] of line.spans) {
      if (ended < from || began > to) continue;
      const left = Math.max(LEFT, x(began)), right = Math.min(width - RIGHT, x(ended));
      bands.append(draw("rect", { class: `band ${["wave", "soak", "bake"].includes(kind) ? kind : "held"}`, x: left, y: TOP - 18, width: Math.max(1, right - left), height: PLOT + 18 }));
      const short = kind === "wave" ? label : words(kind), room = short.length * 6.6 + 8;
      if (right - left > room && left > labelled) {
        bands.append(draw("text", { x: left + 4, y: TOP - 5 }, short));
        labelled = left + room;
      }
    }
    const step = steps(top, 4);
    for (let number = 0; number <= top; number += step) {
      svg.append(draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(number), y2: y(number) }),
        draw("text", { x: LEFT - 8, y: y(number) + 4, "text-anchor": "end" }, count(number)));
    }
    const tick = CLOCK.find((each) => each >= (to - from) / Math.max(2, inner / 90)) || CLOCK.at(-1);
    for (let moment = Math.ceil(from / tick) * tick; moment <= to; moment += tick) {
      svg.append(draw("text", { x: x(moment), y: TOP + PLOT + 17, "text-anchor": x(moment) > width - 40 ? "end" : "middle" }, since(moment, tick)));
    }
    if (line.floor.length) inside.append(draw("path", { class: "series floor", d: path(line.floor, x, y, true) }));
    for (const name of ["accepted", "settled"]) {
      if (line[name].length) inside.append(draw("path", { class: `series ${name}`, d: path(line[name], x, y, false) }));
    }
    lanes.forEach((lane, number) => {
      const middle = TOP + PLOT + 26 + number * LANE + LANE / 2;
      svg.append(draw("text", { x: LEFT - 8, y: middle + 4, "text-anchor": "end" }, { gate: "gates", control: "control", trouble: "trouble", run: "run" }[lane]),
        draw("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: middle, y2: middle }));
      for (const [moment, on, tone] of line.happenings) {
        if (on === lane && moment >= from && moment <= to) inside.append(draw("circle", { class: `happening ${tone}`, cx: x(moment), cy: middle, r: 5 }));
      }
    });
    if (chosen) {
      const [left, right] = chosen.map(x).sort((one, other) => one - other);
      inside.append(draw("rect", { class: "choice", x: left, y: TOP, width: right - left, height: PLOT }));
    }
    inside.append(draw("line", { class: "cursor", x1: x(cursor), x2: x(cursor), y1: TOP, y2: HEIGHT - 8 }));
    svg.append(inside);
    drawing.replaceChildren(svg);
    read();
  }

  function read() {
    const accepted = at(line.accepted, cursor), settled = at(line.settled, cursor);
    const within = line.spans.filter(([, , began, ended]) => began <= cursor && cursor <= ended).map((span) => span[1]);
    const near = (to - from) / 60;
    const close = line.happenings.filter(([moment]) => Math.abs(moment - cursor) <= near)
      .sort((one, other) => Math.abs(one[0] - cursor) - Math.abs(other[0] - cursor)).slice(0, 2);
    const told = close.map(([, , , text]) => text);
    const floor = line.floor.length ? `, at most ${count(at(line.floor, cursor, true))} by its rate` : "";
    const text = `${since(cursor, 1)} (${clock(cursor)})${within.length ? `, ${within.at(-1)}` : ""}: ` +
      `${count(accepted)} accepted, ${count(settled)} settled${floor}`;
    reading.replaceChildren(make("b", {}, text), ...told.flatMap((each) => [make("br"), each]));
    const value = (cursor / end) * 1000;
    for (const [name, number] of [["min", 0], ["max", 1000], ["now", Math.round(value)]]) drawing.setAttribute(`aria-value${name}`, number);
    drawing.setAttribute("aria-valuetext", [text, ...told].join(". "));
  }

  function momentOf(event) {
    const box = drawing.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    return from + Math.min(1, Math.max(0, share)) * (to - from);
  }

  drawing.addEventListener("pointerdown", (event) => {
    if (event.button === 0) chosen = [momentOf(event), momentOf(event)];
  });
  drawing.addEventListener("pointermove", (event) => {
    cursor = momentOf(event);
    if (chosen) chosen[1] = cursor;
    render();
  });
  window.addEventListener("pointerup", () => {
    if (!chosen) return;
    const [left, right] = [...chosen].sort((one, other) => one - other);
    chosen = null;
    if (right - left > (to - from) / 50) show(left, right); else render();
  });
  drawing.addEventListener("dblclick", () => show(0, end));
  drawing.addEventListener("keydown", (event) => {
    const move = (to - from) / (event.shiftKey ? 10 : 100);
    const keys = {
      ArrowRight: () => go(cursor + move), ArrowLeft: () => go(cursor - move), Home: () => go(0), End: () => go(end),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => show(0, end),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  function go(moment) {
    cursor = Math.min(end, Math.max(0, moment));
    const width = to - from;
    if (cursor < from) show(cursor, cursor + width);
    else if (cursor > to) show(cursor - width, cursor);
    else render();
  }

  new ResizeObserver(() => requestAnimationFrame(render)).observe(place);
  render();
})();
