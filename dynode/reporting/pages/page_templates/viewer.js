"use strict";
// The viewer: position is a frame number with a fraction while it plays; everything is drawn from it.
(() => {
  const view = JSON.parse(document.getElementById("view").textContent);
  const shown = [view.truth, ...view.methods];
  const last = view.times.length - 1;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const MARKS = {
    circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    square: "M-4.5-4.5h9v9h-9z",
    triangle: "M0-6L6 5H-6z",
    diamond: "M0-6.5L6 0L0 6.5L-6 0z",
    cross: "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    star: "M0-7L1.8-2.2L6.7-2.2L2.7.9L4.2 5.7L0 2.8L-4.2 5.7L-2.7.9L-6.7-2.2L-1.8-2.2z",
  };
  const visible = shown.map(() => true);
  const sheets = shown.map((each) => Object.assign(new Image(), { src: each.sheet }));
  const at = (id) => document.getElementById(id);
  const time = at("time"), play = at("play"), metric = at("metric"), split = at("split");
  let position = 0, playing = 0, before = 0, marks = [], cursor = null, scaleX = null;

  const make = (name, attributes, parent) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (parent) parent.append(node);
    return node;
  };
  const number = (value) => (value === 0 ? "0" : Number(value.toPrecision(3)).toString());
  const frame = () => Math.round(position);
  const scale = () => view.metrics.find((each) => each.name === metric.value).scale;

  // The frame k of a sheet, its columns from x to x + share of the width.
  const draw = (canvas, which, k, from = 0, to = 1) => {
    const picture = sheets[which];
    if (!picture.complete || !picture.naturalWidth) return;
    const side = picture.naturalWidth / view.columns, context = canvas.getContext("2d");
    const left = (k % view.columns) * side, top = Math.floor(k / view.columns) * side;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, left + from * side, top, (to - from) * side, side,
      from * canvas.width, 0, (to - from) * canvas.width, canvas.height);
  };

  const drawFrames = () => {
    const k = frame();
    document.querySelectorAll("#frames figure").forEach((figure) => {
      const which = Number(figure.dataset.method), each = shown[which];
      figure.hidden = !visible[which];
      const canvas = figure.querySelector("canvas");
      draw(canvas, which, k);
      canvas.dataset.frame = k;
      canvas.setAttribute("aria-label", `${each.label}, frame ${k}`);
      const values = each[metric.value];
      figure.querySelector(".value").textContent = values ? number(values[k] * scale()) : "";
    });
    drawWipe();
  };

  const drawWipe = () => {
    if (!at("wipe-part").open) return;
    const canvas = at("wipe"), share = split.value / 100;
    const a = Number(at("wipe-a").value), b = Number(at("wipe-b").value);
    draw(canvas, b, frame());
    if (share > 0) draw(canvas, a, frame(), 0, share);
    const context = canvas.getContext("2d"), x = share * canvas.width;
    for (const [colour, width] of [["#000", 6], ["#fff", 2]]) {
      context.fillStyle = colour;
      context.fillRect(x - width / 2, 0, width, canvas.height);
    }
    const text = `${split.value} % ${shown[a].label}, ${100 - split.value} % ${shown[b].label}`;
    split.setAttribute("aria-valuetext", text);
    canvas.setAttribute("aria-label", `Left ${shown[a].label}, right ${shown[b].label}, frame ${frame()}`);
  };

  const group = (svg, which) => {
    const each = shown[which];
    const node = make("g", { class: "method", "data-method": which }, svg);
    node.style.setProperty("--light", each.light);
    node.style.setProperty("--dark", each.dark);
    node.style.display = visible[which] ? "" : "none";
    return node;
  };

  const perFrame = (each) => (each.path.length - 1) / last;
  const pathOf = (each, x, y) => each.path.map(([u, v], i) => {
    const k = Math.floor((i - 1) / perFrame(each)), cut = i > 0 && view.shot[k] !== view.shot[Math.min(k + 1, last)];
    return `${i === 0 || cut ? "M" : "L"}${x(u).toFixed(1)} ${y(v).toFixed(1)}`;
  }).join("");

  const drawPlane = () => {
    const svg = at("plane"), width = svg.clientWidth || 320, height = Math.round(Math.min(width * 0.85, 460)), margin = 18;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.style.height = `${height}px`;
    const points = shown.flatMap((each) => each.path);
    const range = (i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))];
    const [[u0, u1], [v0, v1]] = [range(0), range(1)];
    const unit = Math.min((width - 2 * margin) / (u1 - u0 || 1), (height - 2 * margin) / (v1 - v0 || 1));
    const x = (u) => width / 2 + (u - (u0 + u1) / 2) * unit, y = (v) => height / 2 - (v - (v0 + v1) / 2) * unit;
    const curves = shown.map((each, which) => {
      const node = group(svg, which);
      make("path", { class: "line", d: pathOf(each, x, y), "stroke-dasharray": each.dash }, node);
      return node;
    });
    view.truth.path.forEach(([u, v], k) => {
      make("circle", { cx: x(u), cy: y(v), r: 3.2, class: view.observed[k] ? "shown" : "held-out" }, curves[0]);
    });
    marks = shown.map((each, which) => {
      const node = make("path", { class: "mark point", d: MARKS[each.mark] }, group(svg, which));
      return (p) => {
        const exact = Math.round(p * perFrame(each));
        const [u, v] = each.path[Math.min(exact, each.path.length - 1)];
        node.setAttribute("transform", `translate(${x(u).toFixed(1)} ${y(v).toFixed(1)}) scale(1.5)`);
      };
    });
  };

  const drawErrors = () => {
    const svg = at("errors"), width = svg.clientWidth || 320, height = 200, left = 52, right = 10, top = 10, foot = 40;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const curves = view.methods.map((each) => each[metric.value].map((value) => value * scale()));
    const most = Math.max(...curves.flat()) || 1;
    const t0 = view.times[0], t1 = view.times[last];
    scaleX = (t) => left + ((t - t0) / (t1 - t0)) * (width - left - right);
    const y = (value) => height - foot - (value / most) * (height - foot - top);
    for (const share of [0, 0.5, 1]) {
      make("line", { class: "grid", x1: left, x2: width - right, y1: y(share * most), y2: y(share * most) }, svg);
      make("text", { x: left - 6, y: y(share * most) + 4, "text-anchor": "end" }, svg).textContent = number(share * most);
    }
    for (const share of [0, 0.5, 1]) {
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      const label = make("text", { x: scaleX(t0 + share * (t1 - t0)), y: height - 6, "text-anchor": anchor }, svg);
      label.textContent = `${(t0 + share * (t1 - t0)).toFixed(2)} s`;
    }
    view.times.forEach((t, k) => {
      if (view.observed[k]) make("line", { class: "tick", x1: scaleX(t), x2: scaleX(t), y1: height - foot + 4, y2: height - foot + 13 }, svg);
    });
    curves.forEach((values, i) => {
      const each = view.methods[i], node = group(svg, i + 1);
      const d = values.map((value, k) => `${k ? "L" : "M"}${scaleX(view.times[k]).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      make("path", { class: "line", d, "stroke-dasharray": each.dash }, node);
      const worst = values.indexOf(Math.max(...values));
      make("path", { class: "mark", d: MARKS[each.mark], transform: `translate(${scaleX(view.times[worst])} ${y(values[worst])})` }, node);
    });
    cursor = make("line", { class: "cursor", y1: top, y2: height - foot }, svg);
  };

  const timeAt = (p) => {
    const k = Math.min(Math.floor(p), last - 1);
    return view.times[k] + (p - k) * (view.times[k + 1] - view.times[k]);
  };

  const show = (p) => {
    const whole = frame();
    position = Math.max(0, Math.min(last, p));
    const k = frame(), t = timeAt(position);
    const text = `${view.times[k].toFixed(2)} s, frame ${k}, ${view.observed[k] ? "observed" : "not observed"}`;
    time.value = k;
    time.setAttribute("aria-valuetext", text);
    at("now").textContent = text;
    marks.forEach((move) => move(position));
    cursor.setAttribute("x1", scaleX(t));
    cursor.setAttribute("x2", scaleX(t));
    if (k !== whole || !playing) drawFrames();
  };

  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
    show(frame());
  };
  const advance = (now) => {
    const pace = still.matches ? 2 : view.fps; // frames a second
    let next = position + ((now - before) / 1000) * pace;
    if (still.matches && Math.floor(next) === Math.floor(position)) {
      playing = requestAnimationFrame(advance);
      return;
    }
    before = now;
    if (still.matches) next = Math.floor(next);
    if (next >= last) next = 0;
    show(next);
    playing = requestAnimationFrame(advance);
  };
  const start = () => {
    before = performance.now();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    playing = requestAnimationFrame(advance);
  };
  const toggle = (which) => {
    if (which >= shown.length) return;
    visible[which] = !visible[which];
    document.querySelector(`[data-toggle="${which}"]`).checked = visible[which];
    document.querySelectorAll(`g[data-method="${which}"]`).forEach((node) => { node.style.display = visible[which] ? "" : "none"; });
    drawFrames();
  };
  const step = (p) => { if (playing) stop(); show(p); };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target, slider = target === time;
    if (!slider && target.matches("input[type=range], select, textarea, input[type=text]")) return;
    const moves = { ArrowRight: frame() + 1, ArrowLeft: frame() - 1 };
    if (slider) Object.assign(moves, {
      ArrowUp: frame() + 1, ArrowDown: frame() - 1, PageUp: frame() + 10, PageDown: frame() - 10, Home: 0, End: last,
    });
    if (event.key in moves) step(moves[event.key]);
    else if (slider && event.key === " ") playing ? stop() : start();
    else if (/^[1-9]$/.test(event.key)) toggle(Number(event.key) - 1);
    else return;
    event.preventDefault();
  });
  const dragged = (node, move) => {
    const follow = (event) => {
      const box = node.getBoundingClientRect();
      move((event.clientX - box.left) / box.width, box.width);
    };
    node.addEventListener("pointerdown", (event) => { node.setPointerCapture(event.pointerId); follow(event); });
    node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) follow(event); });
  };
  dragged(at("wipe"), (share) => { split.value = Math.round(100 * share); drawWipe(); });
  dragged(at("errors"), (share, width) => {
    const from = scaleX(view.times[0]), to = scaleX(view.times[last]);
    const t = view.times[0] + ((share * width - from) / (to - from)) * (view.times[last] - view.times[0]);
    const distances = view.times.map((each) => Math.abs(each - t));
    step(distances.indexOf(Math.min(...distances)));
  });
  time.addEventListener("input", () => step(Number(time.value)));
  play.addEventListener("click", () => (playing ? stop() : start()));
  document.querySelectorAll("[data-toggle]").forEach((box) => {
    box.addEventListener("change", () => toggle(Number(box.dataset.toggle)));
  });
  for (const id of ["split", "wipe-a", "wipe-b"]) at(id).addEventListener("input", drawWipe);
  at("wipe-part").addEventListener("toggle", drawWipe);
  for (const { name, label } of view.metrics) metric.append(new Option(label, name));
  const redraw = () => { drawPlane(); drawErrors(); show(position); };
  metric.addEventListener("input", redraw);
  document.querySelectorAll("path[data-mark]").forEach((node) => node.setAttribute("d", MARKS[node.dataset.mark]));
  sheets.forEach((picture) => picture.addEventListener("load", drawFrames));
  new ResizeObserver(redraw).observe(at("viewer"));
  redraw();
})();
