
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("recording").textContent);
  const byId = (id) => document.getElementById(id);
  const SECOND = 1e6, IDLE = 2 * SECOND, JUMP = 5 * SECOND, MOST_HITS = 500;
  const COLOURS = {
    black: "#1c232b", red: "#e5534b", green: "#57ab5a", brown: "#c69026", blue: "#539bf5", magenta: "#b083f0",
    cyan: "#39c5cf", white: "#c5ced8", brightblack: "#768390", brightred: "#ff938a", brightgreen: "#8ddb8c",
    brightbrown: "#eac55f", brightyellow: "#eac55f", brightblue: "#96d0ff", brightmagenta: "#dcbdfb",
    bfightmagenta: "#dcbdfb", brightcyan: "#76e3ea", brightwhite: "#f7fafc",
  };
  const INK = "#d7dde4", GROUND = "#05080b";
  const frames = data.frames;
  const duration = Math.max(data.duration, frames.length ? frames[frames.length - 1][0] : 0, 1);

  let position = 0, playing = false, shown = -1, rows = [], size = [80, 24], cursor = null, before = 0, hits = [], commands = [], now;

  const colour = (name, fallback) => name === "default" ? fallback : COLOURS[name] || (/^[0-9a-f]{6}$/i.test(name) ? "#" + name : fallback);

  function span(text, index) {
    const [fg, bg, flags] = data.styles[index];
    const part = document.createElement("span");
    part.textContent = text;
    let front = colour(fg, INK), back = colour(bg, "");
    if (flags & 16) [front, back] = [back || GROUND, front];
    if (front !== INK) part.style.color = front;
    if (back) part.style.backgroundColor = back;
    if (flags & 1) part.style.fontWeight = "bold";
    if (flags & 2) part.style.fontStyle = "italic";
    if (flags & 12) part.style.textDecoration = (flags & 4 ? "underline " : "") + (flags & 8 ? "line-through" : "");
    return part;
  }

  function line(runs, at) {
    const element = document.createElement("div");
    let column = 0;
    for (let i = 0; i < runs.length; i += 2) {
      const text = runs[i], end = column + text.length;
      if (at >= column && at < end) {
        const parts = [text.slice(0, at - column), text.slice(at - column, at - column + 1), text.slice(at - column + 1)];
        parts.forEach((part, n) => {
          if (!part) return;
          const piece = span(part, runs[i + 1]);
          if (n === 1) { piece.removeAttribute("style"); piece.className = "cursor"; }
          element.append(piece);
        });
      } else element.append(span(text, runs[i + 1]));
      column = end;
    }
    if (at >= column) {
      element.append(" ".repeat(at - column));
      const piece = document.createElement("span");
      piece.className = "cursor";
      piece.textContent = " ";
      element.append(piece);
    }
    return element;
  }

  function indexAt(time) {
    let low = 0, high = frames.length;
    while (low < high) { const middle = (low + high) >> 1; if (frames[middle][0] <= time) low = middle + 1; else high = middle; }
    return low - 1;
  }

  function draw() {
    const wanted = indexAt(position);
    if (wanted < shown) { shown = -1; rows = []; }
    if (wanted !== shown) {
      for (let i = shown + 1; i <= wanted; i++) {
        const [, changed, at, newSize] = frames[i];
        if (newSize) { size = newSize; rows.length = Math.min(rows.length, size[1]); }
        for (let n = 0; n < changed.length; n += 2) rows[changed[n]] = data.rows[changed[n + 1]];
        cursor = at;
      }
      shown = wanted;
      const lines = [];
      for (let y = 0; y < size[1]; y++) lines.push(line(rows[y] || [], cursor && cursor[1] === y ? cursor[0] : -1));
      byId("screen").replaceChildren(...lines);
      byId("screen").style.minWidth = size[0] + "ch";
    }
    byId("seek").value = position;
    byId("clock").textContent = clock(position) + " / " + clock(duration);
    byId("toggle").textContent = playing ? "Pause" : position >= duration ? "Again" : "Play";
    const item = commands[last(position)];
    if (item !== now) {
      if (now) now.classList.remove("now");
      if (item) item.classList.add("now");
      now = item;
    }
  }

  function last(time) {
    let low = 0, high = data.commands.length;
    while (low < high) { const middle = (low + high) >> 1; if (data.commands[middle][0] <= time) low = middle + 1; else high = middle; }
    return low - 1;
  }

  function clock(time) {
    const seconds = Math.floor(time / SECOND), pad = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    return (hours ? hours + ":" + pad(Math.floor(seconds / 60) % 60) : Math.floor(seconds / 60)) + ":" + pad(seconds % 60);
  }

  function seek(time) { position = Math.min(Math.max(time, 0), duration); draw(); }

  function passed(real) {
    let left = real * Number(byId("speed").value);
    while (left > 0 && position < duration) {
      const index = indexAt(position);
      const next = index + 1 < frames.length ? frames[index + 1][0] : duration;
      const began = index >= 0 ? frames[index][0] : 0;
      const silence = Math.min(next, duration) - position;
      const visible = byId("idle").checked ? Math.max(0, Math.min(silence, IDLE - (position - began))) : silence;
      if (left < visible) { position += left; return; }
      left -= visible;
      position = Math.min(next, duration);
      if (silence <= 0) break;
    }
  }

  function tick(now) {
    if (!playing) return;
    passed((now - before) * 1000);
    before = now;
    if (position >= duration) playing = false;
    draw();
    if (playing) requestAnimationFrame(tick);
  }

  function toggle() {
    if (!playing && position >= duration) position = 0;
    playing = !playing;
    draw();
    if (playing) { before = performance.now(); requestAnimationFrame(tick); }
  }

  function step(by) {
    playing = false;
    const next = Math.min(Math.max(indexAt(position) + by, 0), frames.length - 1);
    seek(frames[next][0]);
  }

  function jump(times, by) {
    const after = times.filter((time) => by > 0 ? time > position : time < position - SECOND / 10);
    if (after.length) seek(by > 0 ? after[0] : after[after.length - 1]);
  }

  function item(at, text, from, to) {
    const element = document.createElement("li"), time = document.createElement("time");
    time.textContent = clock(at);
    const body = document.createElement("span");
    if (to > from) {
      const found = document.createElement("mark");
      found.textContent = text.slice(from, to);
      body.append(text.slice(0, from), found, text.slice(to));
    } else body.textContent = text;
    element.append(time, body);
    element.addEventListener("click", () => seek(at));
    return element;
  }

  function search() {
    const query = byId("query").value.toLowerCase();
    const found = query ? data.lines.filter(([, text]) => text.toLowerCase().includes(query)) : [];
    hits = found.map(([at]) => at);
    byId("count").textContent = query ? found.length + (found.length === 1 ? " line" : " lines") + (found.length > MOST_HITS ? ", the first " + MOST_HITS + " shown" : "") : "";
    byId("hits").replaceChildren(...found.slice(0, MOST_HITS).map(([at, text]) => {
      const from = text.toLowerCase().indexOf(query);
      return item(at, text, from, from + query.length);
    }));
  }

  function faster(by) {
    const speed = byId("speed");
    speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + by, 0), speed.options.length - 1);
  }

  const keys = {
    " ": toggle, ArrowRight: () => seek(position + JUMP), ArrowLeft: () => seek(position - JUMP),
    ".": () => step(1), ",": () => step(-1), c: () => jump(data.commands.map(([at]) => at), 1),
    C: () => jump(data.commands.map(([at]) => at), -1), n: () => jump(hits, 1), N: () => jump(hits, -1),
    "+": () => faster(1), "-": () => faster(-1), "/": () => byId("query").focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.activeElement.blur();
    if (event.target.matches("input[type=search], select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });

  byId("title").textContent = document.title;
  for (const [name, value] of data.about) {
    const pair = document.createElement("div"), term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    pair.append(term, text);
    byId("about").append(pair);
  }
  commands = data.commands.map(([at, text]) => item(at, text, 0, 0));
  byId("commands").replaceChildren(...commands);
  byId("seek").max = duration;
  byId("seek").addEventListener("input", () => seek(Number(byId("seek").value)));
  byId("toggle").addEventListener("click", () => { toggle(); byId("toggle").blur(); });
  byId("query").addEventListener("input", search);
  const start = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  seek(start ? Number(start[1]) * SECOND : 0);
})();
