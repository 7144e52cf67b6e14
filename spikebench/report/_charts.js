"use strict";
// draws every figure.chart of the page with uPlot: lines and axes are its, marks, intervals, bars and labels are drawn here
for (const figure of document.querySelectorAll("figure.chart")) {
  const chart = JSON.parse(figure.querySelector("script").textContent), hidden = new Set(), plots = [];
  const tip = document.createElement("output"), css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  tip.className = "tip";
  tip.hidden = true;

  const prefix = (v, scales) => {
    const [size, name] = scales.find(([s]) => Math.abs(v) >= s * 0.9995) || scales[scales.length - 1];
    return `${+(v / size).toPrecision(3)} ${name}`.trim();
  };
  const SMALL = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]], BYTES = [[2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"], [1, ""]];
  const show = (v, unit) => unit === "s" || unit === "J" ? prefix(v, SMALL.map(([s, n]) => [s, n + unit]))
    : unit === "B" ? prefix(v, BYTES.map(([s, n]) => [s, n + "B"])) : unit === "x" ? `${+v.toPrecision(3)}x`
    : unit === "%" ? `${+(100 * v).toFixed(2)}%` : (+v.toPrecision(4)).toLocaleString("en");

  function shade(colour) {
    if (!colour) return css("--soft");
    if (!dark.matches) return colour;
    const part = k => parseInt(colour.slice(k, k + 2), 16), lift = v => Math.round(v + (255 - v) * 0.4);
    return colour === "#000000" ? css("--ink") : `rgb(${lift(part(1))} ${lift(part(3))} ${lift(part(5))})`;
  }

  // marks of a log axis: powers of ten (of two for bytes), and 2 and 5 between them where there are few
  function marks(low, high, unit) {
    const base = unit === "B" ? 2 : 10, found = [];
    for (let k = Math.ceil(Math.log(low) / Math.log(base) - 1e-9); base ** k <= high * (1 + 1e-9); k++) found.push(base ** k);
    const every = Math.ceil(found.length / 8);
    if (found.length > 2 || base === 2) return found.filter((_, k) => k % every === 0);
    const more = [];
    for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++) for (const m of high / low < 15 ? [1, 2, 3, 5] : [1, 2, 5]) more.push(m * 10 ** k);
    const inside = more.filter(v => v >= low && v <= high);
    return inside.length > 1 ? inside : [low, high];
  }

  function apart(wanted, size, top, bottom) {
    const order = wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b]), found = [...wanted];
    let edge = top - size / 2;
    for (const k of order) { found[k] = Math.max(found[k], edge + size / 2); edge = found[k] + size / 2; }
    edge = bottom + size / 2;
    for (const k of order.reverse()) { found[k] = Math.min(found[k], edge - size / 2); edge = found[k] - size / 2; }
    return found;
  }

  const place = (u, p, s, panel) => {
    const bars = panel.series.filter(t => t.form === "bars");
    const step = Math.abs(u.valToPos(1, "x") - u.valToPos(0, "x"));
    const aside = s.form === "bars" ? (bars.indexOf(s) - (bars.length - 1) / 2) * step * 0.82 / bars.length : 0;
    return [u.valToPos(p.x, "x") + aside, u.valToPos(p.y, "y"), step];
  };

  function draw(u, panel) {
    const pen = u.ctx, r = devicePixelRatio, { left, top, width, height } = u.bbox;
    const at = (v, scale) => u.valToPos(v, scale, true);
    pen.save();
    pen.beginPath();
    pen.rect(left - 6 * r, top - 6 * r, width + 12 * r, height + 12 * r);
    pen.clip();
    pen.lineWidth = 1.5 * r;
    pen.setLineDash([]);
    const stroke = (x0, y0, x1, y1) => { pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); };
    if (panel.rule) {
      pen.strokeStyle = pen.fillStyle = css("--soft");
      stroke(left, at(panel.rule[0], "y"), left + width, at(panel.rule[0], "y"));
      pen.font = `${11 * r}px system-ui, sans-serif`;
      pen.textAlign = "left";
      pen.fillText(panel.rule[1], left + 4 * r, at(panel.rule[0], "y") - 4 * r);
    }
    for (const s of panel.series) {
      if (hidden.has(s.group)) continue;
      const colour = s.muted ? css("--soft") : shade(s.colour);
      pen.strokeStyle = pen.fillStyle = colour;
      for (const p of s.points) {
        const [x, y, step] = place(u, p, s, panel).map((v, k) => v * r + [left, top, 0][k]);
        if (s.form === "bars" || s.form === "falls") {
          const count = panel.series.filter(t => t.form === s.form).length, wide = s.form === "bars" ? step * 0.7 / count : step * 0.62;
          const from = p.base === null ? top + height : at(p.base, "y");
          const [a, b] = s.form === "falls" && !p.known && p.base !== null && p.low !== null ? [at(p.high, "y"), at(p.low, "y")] : [Math.min(y, from), Math.max(y, from)];
          const solid = p.known || (s.form === "falls" && p.base === null);
          pen.globalAlpha = solid ? (s.form === "falls" && p.base === null ? 0.35 : 0.9) : 0.15;
          pen.fillRect(x - wide / 2, a, wide, Math.max(b - a, r));
          pen.globalAlpha = 1;
          if (!solid) pen.strokeRect(x - wide / 2, a, wide, b - a);
          pen.fillStyle = pen.strokeStyle = css("--ink");
          if (s.form === "bars" && p.low !== null) stroke(x, at(p.low, "y"), x, at(p.high, "y"));
          if (p.said) {
            pen.font = `${11 * r}px system-ui, sans-serif`;
            pen.textAlign = "center";
            p.said.split("\n").reverse().forEach((line, k) => pen.fillText(line, x, Math.min(a, b) - (5 + 13 * k) * r));
          }
          pen.fillStyle = pen.strokeStyle = colour;
          continue;
        }
        if (s.form === "steps") continue;
        if (!s.muted && p.low !== null) stroke(x, at(p.low, "y"), x, at(p.high, "y"));
        if (p.across) stroke(at(p.across[0], "x"), y, at(p.across[1], "x"), y);
        if (s.small && s.form === "line") continue;
        pen.beginPath();
        pen.arc(x, y, (s.muted ? 2 : s.small ? 2.5 : 4) * r, 0, 7);
        if (!p.known && !s.small && !s.muted) { pen.fillStyle = css("--paper"); pen.fill(); pen.fillStyle = colour; pen.stroke(); } else pen.fill();
      }
    }
    pen.restore();
    labels(u, panel, pen, r);
  }

  function labels(u, panel, pen, r) {
    if (chart.legend || !u.room) return;
    const named = panel.series.filter(s => s.label && !s.muted && !hidden.has(s.group) && s.points.length && s.form !== "falls");
    const ends = named.map(s => s.points.reduce((a, b) => b.x >= a.x ? b : a));
    const size = 13 * (named.some(s => s.note) ? 2 : 1);
    const { left, top, width, height } = u.bbox;
    const rows = apart(ends.map(p => u.valToPos(p.y, "y")), size + 1, 0, height / r);
    pen.save();
    pen.textAlign = "left";
    named.forEach((s, k) => {
      const y = top + rows[k] * r, x = left + width + 10 * r;
      pen.strokeStyle = pen.fillStyle = shade(s.colour);
      pen.lineWidth = 0.7 * r;
      pen.setLineDash([r, 2 * r]);
      pen.beginPath();
      pen.moveTo(left + u.valToPos(ends[k].x, "x") * r + 5 * r, top + u.valToPos(ends[k].y, "y") * r);
      pen.lineTo(x - 3 * r, y);
      pen.stroke();
      pen.font = `${s.bold ? "bold " : ""}${12 * r}px system-ui, sans-serif`;
      pen.fillText(s.label, x, y + (s.note ? -2 : 4) * r);
      pen.font = `${11 * r}px system-ui, sans-serif`;
      if (s.note) pen.fillText(s.note, x, y + 11 * r);
    });
    pen.restore();
  }

  function build(panel, box) {
    const of = panels => [...new Set(panels.flatMap(q => q.series.flatMap(s => s.points.map(p => p.x))))].sort((a, b) => a - b);
    const xs = of([panel]), whole = of(chart.panels), first = whole[0], last = whole[whole.length - 1];
    const column = s => { const by = new Map(s.points.map(p => [p.x, p.y])); return xs.map(x => by.get(x) ?? null); };
    const data = [xs, ...panel.series.map(column)], log = scale => chart[scale].scale === "log";
    const names = chart.x.names, pen = document.createElement("canvas").getContext("2d");
    const width = (text, bold) => { pen.font = `${bold ? "bold " : ""}12px system-ui, sans-serif`; return pen.measureText(text).width; };
    const wanted = chart.legend ? 0 : Math.max(0, ...panel.series.filter(s => s.label && !s.muted && s.form !== "falls").flatMap(s => [width(s.label, s.bold), width(s.note, false)]));
    const xrange = names.length ? [-0.6, names.length - 0.4] : log("x") ? [first / 1.12, last * 1.12] : [first - ((last - first) * 0.05 || 1), last + ((last - first) * 0.05 || 1)];
    const axis = { filter: (_, splits) => splits, stroke: () => css("--ink"), grid: { stroke: () => css("--line"), width: 1 }, ticks: { stroke: () => css("--line"), width: 1 }, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 20 };
    const u = new uPlot({
      width: box.clientWidth, height: 320, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { show: false }, x: false, y: false },
      padding: [14, wanted && box.clientWidth > 420 ? wanted + 18 : 14, 0, 0],
      scales: {
        x: { time: false, distr: log("x") ? 3 : 1, range: () => xrange },
        y: { distr: log("y") ? 3 : 1, log: chart.y.unit === "B" ? 2 : 10, range: () => chart.range },
      },
      axes: [
        { ...axis, label: chart.x.label, size: names.length ? 48 : 40, splits: u => names.length ? names.map((_, k) => k) : chart.ticks.length ? spread(u, chart.ticks) : log("x") ? marks(...xrange, chart.x.unit) : ticks(...xrange), values: (_, v) => v.map(n => names.length ? names[n].replaceAll(" ", "\n") : show(n, chart.x.unit)) },
        { ...axis, label: chart.y.label, size: 66, splits: (u) => log("y") ? marks(u.scales.y.min, u.scales.y.max, chart.y.unit) : ticks(u.scales.y.min, u.scales.y.max), values: (_, v) => v.map(n => show(n, chart.y.unit)) },
      ],
      series: [{}, ...panel.series.map(s => ({
        show: true, spanGaps: true, points: { show: false }, width: s.bold ? 4 : s.muted || s.small ? 1 : 2, dash: s.dash.map(d => d * 2), stroke: () => s.muted ? css("--soft") : shade(s.colour),
        paths: s.form === "line" ? undefined : s.form === "steps" ? uPlot.paths.stepped({ align: 1 }) : () => null,
      }))],
      hooks: { draw: [u => draw(u, panel)] },
    }, data, box);
    u.room = wanted && box.clientWidth > 420;
    return u;
  }

  const ticks = (low, high) => {
    const raw = (high - low) / 5, size = 10 ** Math.floor(Math.log10(raw)), step = size * [1, 2, 2.5, 5, 10].find(m => m * size >= raw), found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(+v.toPrecision(12));
    return found;
  };
  const spread = (u, values) => {
    const found = [];
    for (const v of values) if (!found.length || u.valToPos(v, "x") - u.valToPos(found[found.length - 1], "x") > 42) found.push(v);
    return found;
  };

  function tell(plot, s, p) {
    const [x, y] = place(plot.u, p, s, plot.panel), over = plot.u.over.getBoundingClientRect(), whole = figure.getBoundingClientRect();
    tip.textContent = p.text;
    tip.style.setProperty("--colour", s.muted ? css("--soft") : shade(s.colour));
    tip.hidden = false;
    const left = over.left - whole.left + x, wide = tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left - wide / 2, whole.width - wide))}px`;
    tip.style.top = `${over.top - whole.top + y - tip.offsetHeight - 10}px`;
  }

  function nearest(plot, x, y) {
    let best = null, least = 40;
    for (const s of plot.panel.series) {
      if (hidden.has(s.group) || s.form === "steps") continue;
      for (const p of s.points) {
        const [px, py, step] = place(plot.u, p, s, plot.panel), bar = s.form === "bars" || s.form === "falls";
        const far = bar && Math.abs(px - x) < step * 0.4 / (s.form === "bars" ? plot.panel.series.length : 1) && y >= Math.min(py, plot.u.valToPos(p.base ?? p.y, "y")) - 20 ? 1 + Math.abs(px - x) / 10 : Math.hypot(px - x, py - y);
        if (far < least) [best, least] = [[s, p], far];
      }
    }
    return best;
  }

  function move(plot, key) {
    const shown = plot.panel.series.filter(s => !hidden.has(s.group) && s.form !== "steps" && s.points.length && !(s.small && !s.label));
    if (!shown.length) return;
    const wrap = (v, n) => (v + n) % n;
    plot.at ??= [0, -1];
    if (key === "ArrowRight" || key === "ArrowLeft") plot.at[1] += key === "ArrowRight" ? 1 : -1;
    else plot.at[0] += key === "ArrowDown" ? 1 : -1;
    const s = shown[plot.at[0] = wrap(plot.at[0], shown.length)];
    plot.at[1] = wrap(plot.at[1], s.points.length);
    tell(plot, s, s.points[plot.at[1]]);
  }

  const grid = figure.querySelector(".panels");
  for (const panel of chart.panels) {
    const cell = document.createElement("div"), head = document.createElement("p"), box = document.createElement("div");
    head.textContent = panel.title;
    head.className = "panel-title";
    if (panel.title) cell.append(head);
    cell.append(box);
    grid.append(cell);
    box.tabIndex = 0;
    box.className = "plot";
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `${chart.title} ${panel.title}: the arrow keys go from point to point`);
    const plot = { panel, u: null, at: null };
    const again = () => { plot.u?.destroy(); plot.u = build(panel, box); };
    again();
    plots.push({ plot, again });
    box.addEventListener("pointermove", e => {
      const over = plot.u.over.getBoundingClientRect(), found = nearest(plot, e.clientX - over.left, e.clientY - over.top);
      if (found) tell(plot, ...found); else tip.hidden = true;
    });
    box.addEventListener("pointerleave", () => { tip.hidden = true; });
    box.addEventListener("blur", () => { tip.hidden = true; });
    box.addEventListener("keydown", e => {
      if (e.key === "Escape") tip.hidden = true;
      if (!e.key.startsWith("Arrow")) return;
      e.preventDefault();
      move(plot, e.key);
    });
    let wide = box.clientWidth;
    new ResizeObserver(() => { if (box.clientWidth && box.clientWidth !== wide) { wide = box.clientWidth; again(); } }).observe(box);
  }
  figure.append(tip);
  dark.addEventListener("change", () => { plots.forEach(p => p.again()); paint(); });

  const keys = figure.querySelector(".keys"), groups = new Map();
  const all = chart.panels.flatMap(p => p.series);
  for (const s of [...all.filter(s => !s.muted), ...all.filter(s => s.muted)]) if (s.form !== "falls" && s.form !== "steps" && (s.label || s.muted) && s.group && !groups.has(s.group)) groups.set(s.group, s);
  const paint = () => keys.querySelectorAll("button").forEach(b => b.style.setProperty("--colour", groups.get(b.dataset.group).muted ? css("--soft") : shade(groups.get(b.dataset.group).colour)));
  for (const [group, s] of groups) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.group = group;
    button.textContent = s.key;
    button.title = group;
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      hidden.has(group) ? hidden.delete(group) : hidden.add(group);
      button.setAttribute("aria-pressed", String(!hidden.has(group)));
      tip.hidden = true;
      for (const { plot } of plots) {
        plot.panel.series.forEach((t, k) => { if (t.group === group) plot.u.setSeries(k + 1, { show: !hidden.has(group) }); });
        plot.u.redraw();
      }
    });
    keys.append(button);
  }
  keys.hidden = groups.size < 2;
  paint();
}
