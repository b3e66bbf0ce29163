// Charts of values over time: bars and lines, with a table of the same values.
//
// Time runs from left to right in both languages, as in Arabic newspapers and financial charts: a mirrored time axis is
// misread. So the plot has `dir="ltr"`, and its texts have the direction of the page.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Button, html } from "./components.js";
import { language, number } from "./i18n.js";
import { t } from "./strings/overview.js";

/** A series of values, one for each slot; `null` where there is none. Its `color` is a token of charts, or 0 for
 * the rest. Its place in the list sets the pattern of bars and the shape of points.
 * @typedef {{name: string, color: 0 | 1 | 2 | 3 | 4, values: (number | null)[]}} Series */
/** An interval on the time axis: its label there, and its full name. @typedef {{label: string, name: string}} Slot */
/** @typedef {{title: string, note: string, kind: "bars" | "stack" | "lines", slots: Slot[], series: Series[],
 *   format?: (value: number) => string}} ChartProps */

const HEIGHT = 220;
const MARGIN = { top: 12, right: 8, bottom: 26, left: 68 };

/** Values of the logarithmic axis: round durations in milliseconds. */
const DURATIONS = [
  50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 7_200_000, 86_400_000, 604_800_000, 2_592_000_000,
];

/** A chart in a card. @param {ChartProps} props */
export function Chart(props) {
  const { title, note, slots, series, format = number } = props;
  const [isTable, setTable] = useState(false);
  const id = useId();
  return html`<section class="card chart" aria-labelledby=${id}>
    <header>
      <div><h2 id=${id}>${title}</h2><p class="muted small">${note}</p></div>
      <${Button} kind="plain" class="small" onClick=${() => setTable(!isTable)}>${isTable ? t("showChart") : t("showTable")}<//>
    </header>
    ${isTable
      ? html`<div class="table-scroll chart-table" tabindex="0" role="group" aria-labelledby=${id}><table>
          <thead><tr><th scope="col">${t("time")}</th>${series.map((one) => html`<th key=${one.name} scope="col">${one.name}</th>`)}</tr></thead>
          <tbody>${slots.map((slot, index) => html`<tr key=${index}><th scope="row">${slot.name}</th>
            ${series.map((one) => html`<td key=${one.name}>${valueText(one.values[index], format)}</td>`)}</tr>`)}</tbody>
        </table></div>`
      : html`<${Plot} ...${props} />`}
  </section>`;
}

/** @param {number | null | undefined} value @param {(value: number) => string} format */
const valueText = (value, format) => (value === null || value === undefined ? "–" : format(value));

/** Returns the width of an element, in pixels. @returns {[import("preact").RefObject<HTMLDivElement | null>, number]} */
function useWidth() {
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    observer.observe(/** @type {HTMLDivElement} */ (element.current));
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

/** @param {ChartProps} props */
function Plot({ title, kind, slots, series, format = number }) {
  const [element, width] = useWidth();
  const [active, setActive] = useState(/** @type {number | null} */ (null));
  const [spoken, setSpoken] = useState("");
  const id = useId();
  const plot = { width: Math.max(width - MARGIN.left - MARGIN.right, 1), height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const step = plot.width / slots.length;
  const center = (/** @type {number} */ index) => MARGIN.left + (index + 0.5) * step;
  const axis = kind === "lines" ? durationAxis(series, plot.height) : countAxis(series, kind === "stack", plot.height);
  const every = Math.max(Math.ceil(68 / step), 1);

  const describe = (/** @type {number} */ index) => {
    const values = series.map((one) => `${one.name} ${valueText(one.values[index], format)}`);
    return `${slots[index].name}: ${new Intl.ListFormat(language(), { type: "unit" }).format(values)}`;
  };
  const choose = (/** @type {number} */ index) => {
    const chosen = Math.min(Math.max(index, 0), slots.length - 1);
    setActive(chosen);
    return chosen;
  };
  const onPointer = (/** @type {PointerEvent} */ event) => {
    const x = event.clientX - /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect().left;
    choose(Math.floor((x - MARGIN.left) / step));
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    /** @type {Record<string, number>} */
    const targets = { ArrowLeft: (active ?? slots.length) - 1, ArrowRight: (active ?? -1) + 1, Home: 0, End: slots.length - 1 };
    if (event.key === "Escape") setActive(null);
    if (!(event.key in targets)) return;
    event.preventDefault();
    setSpoken(describe(choose(targets[event.key])));
  };
  const leave = () => {
    setActive(null);
    setSpoken("");
  };

  const direction = document.documentElement.dir;
  // The anchor at the right of a text.
  const end = direction === "rtl" ? "start" : "end";
  const isLast = (/** @type {number} */ index) => index === slots.length - 1 && step < 68;
  const swatch = (/** @type {number} */ position) => html`<${Swatch} id=${id} isLine=${kind === "lines"} color=${series[position].color} position=${position} />`;
  return html`
    <ul class="legend">${series.map((one, position) => html`<li key=${one.name}>${swatch(position)}${one.name}</li>`)}</ul>
    <div class="plot" ref=${element} dir="ltr" tabindex="0" role="group" aria-label=${t("chartHint", { title })} onPointerMove=${onPointer}
      onPointerDown=${onPointer} onPointerLeave=${leave} onBlur=${leave} onKeyDown=${onKey}>
      <svg width=${width} height=${HEIGHT} viewBox="0 0 ${Math.max(width, 1)} ${HEIGHT}" aria-hidden="true">
        <${Patterns} id=${id} series=${series} />
        ${axis.ticks.map((tick) => html`<g key=${tick}>
          <line class="grid" x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${MARGIN.top + axis.place(tick)} y2=${MARGIN.top + axis.place(tick)} />
          <text class="tick" x=${MARGIN.left - 8} y=${MARGIN.top + axis.place(tick)} dy="0.32em" text-anchor=${end} direction=${direction}>${format(tick)}</text>
        </g>`)}
        ${active !== null && html`<rect class="cursor" x=${MARGIN.left + active * step} y=${MARGIN.top} width=${step} height=${plot.height} />`}
        ${kind === "lines"
          ? series.map((one, position) => html`<${Line} key=${one.name} series=${one} position=${position} center=${center} place=${(/** @type {number} */ value) => MARGIN.top + axis.place(value)} />`)
          : slots.map((_, index) => html`<${Bars} key=${index} id=${id} index=${index} series=${series} isStack=${kind === "stack"} step=${step}
              axis=${axis} height=${plot.height} />`)}
        <line class="base" x1=${MARGIN.left} x2=${width - MARGIN.right} y1=${MARGIN.top + plot.height} y2=${MARGIN.top + plot.height} />
        ${slots.map((slot, index) => (slots.length - 1 - index) % every === 0 && center(index) > MARGIN.left + 14 && html`<text key=${index} class="tick"
          x=${isLast(index) ? width - 1 : center(index)} y=${HEIGHT - 8} text-anchor=${isLast(index) ? end : "middle"} direction=${direction}>${slot.label}</text>`)}
      </svg>
      ${active !== null && html`<div class="chart-tip" dir=${direction} style=${tipPlace(center(active), width)}>
        <strong>${slots[active].name}</strong>
        <dl>${series.map((one, position) => html`<div key=${one.name}><dt>${swatch(position)}${one.name}</dt>
          <dd>${valueText(one.values[active], format)}</dd></div>`)}</dl>
      </div>`}
      <p class="visually-hidden" role="status" dir=${direction}>${spoken}</p>
    </div>`;
}

/** Places the tooltip beside the slot, on the side with more room. @param {number} x @param {number} width */
const tipPlace = (x, width) => (x < width / 2 ? { left: `${x + 14}px` } : { right: `${width - x + 14}px` });

/** @param {Series[]} series */
const valuesOf = (series) => series.flatMap((one) => one.values.filter((value) => value !== null));

/** A linear axis from zero, with whole numbers. @param {Series[]} series @param {boolean} isStack @param {number} height */
function countAxis(series, isStack, height) {
  const slots = series[0]?.values.map((_, index) => series.map((one) => one.values[index] ?? 0)) ?? [];
  const highest = Math.max(1, ...slots.map((values) => (isStack ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values))));
  const magnitude = 10 ** Math.floor(Math.log10(highest / 4));
  const unit = [1, 2, 5, 10].map((factor) => factor * magnitude).find((candidate) => candidate * 4 >= highest) ?? highest;
  const step = Math.max(Math.ceil(unit), 1);
  const count = Math.max(Math.ceil(highest / step), 1);
  return {
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
    place: (/** @type {number} */ value) => height * (1 - value / (count * step)),
  };
}

/** A logarithmic axis of durations: they range from milliseconds to days. @param {Series[]} series @param {number} height */
function durationAxis(series, height) {
  const values = valuesOf(series);
  const last = DURATIONS.length - 1;
  const from = Math.max(DURATIONS.findLastIndex((tick) => tick < Math.min(...values, DURATIONS[last])), 0);
  const to = Math.max(DURATIONS.findIndex((tick) => tick >= Math.max(...values, DURATIONS[1])), Math.min(from + 2, last));
  const every = Math.ceil((to - from) / 5);
  const lowest = Math.log(DURATIONS[from]);
  const range = Math.log(DURATIONS[to]) - lowest;
  return {
    ticks: DURATIONS.slice(from, to + 1).filter((_, index) => (to - from - index) % every === 0),
    place: (/** @type {number} */ value) => height * (1 - (Math.log(Math.max(value, DURATIONS[from])) - lowest) / range),
  };
}

/** @param {{id: string, index: number, series: Series[], isStack: boolean, step: number, height: number, axis: ReturnType<typeof countAxis>}} props */
function Bars({ id, index, series, isStack, step, height, axis }) {
  const group = Math.min(step * 0.72, 56);
  const width = Math.max(isStack ? group : group / series.length - 1, 1);
  const start = MARGIN.left + index * step + (step - group) / 2;
  let base = 0;
  return series.map((one, position) => {
    const value = one.values[index] ?? 0;
    if (value === 0) return null;
    const bottom = axis.place(base);
    const top = axis.place(base + value);
    if (isStack) base += value;
    // A single message among thousands is visible too.
    const visible = Math.max((isStack ? bottom : height) - top, 2);
    return html`<rect key=${one.name} class="bar series-${one.color}" fill="url(#${id}-${position})" rx=${Math.min(2, width / 3)}
      x=${isStack ? start : start + position * (width + 1)} y=${MARGIN.top + (isStack ? bottom : height) - visible} width=${width} height=${visible} />`;
  });
}

/** @param {{series: Series, position: number, center: (index: number) => number, place: (value: number) => number}} props */
function Line({ series, position, center, place }) {
  let path = "";
  let isOpen = false;
  series.values.forEach((value, index) => {
    if (value !== null) path += `${isOpen ? "L" : "M"}${center(index).toFixed(1)} ${place(value).toFixed(1)}`;
    isOpen = value !== null;
  });
  return html`<g class="series-${series.color}">
    <path class="chart-line dash-${position}" d=${path} />
    ${series.values.map((value, index) => value !== null && html`<path key=${index} class="chart-mark" d=${mark(position, center(index), place(value))} />`)}
  </g>`;
}

/** Returns the shape of a point: a circle, a square, or a rhombus. @param {number} position @param {number} x @param {number} y */
function mark(position, x, y) {
  if (position === 0) return `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0`;
  return position === 1 ? `M${x - 3} ${y - 3}h6v6h-6z` : `M${x} ${y - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5z`;
}

/** The strokes on the fills of bars: none, stripes, dashes, and a grid. They tell bars apart without colors. */
const HATCHES = ["", "M-2 8L8 -2M4 12L12 4", "M0 2h4M4 6h4", "M0 4h8M4 0v8"];

/** @param {{id: string, series: Series[]}} props */
function Patterns({ id, series }) {
  return html`<defs>${series.map((one, position) => html`<pattern key=${position} id="${id}-${position}" class=${`series-${one.color}${position > 0 ? " hatched" : ""}`}
    patternUnits="userSpaceOnUse" width="8" height="8">
    <rect class="fill" width="8" height="8" />${position > 0 && html`<path class="hatch" d=${HATCHES[position]} />`}
  </pattern>`)}</defs>`;
}

/** @param {{id: string, isLine: boolean, color: number, position: number}} props */
function Swatch({ id, isLine, color, position }) {
  return html`<svg class="swatch series-${color}" width="18" height="12" viewBox="0 0 18 12" aria-hidden="true">
    ${isLine
      ? html`<path class="chart-line dash-${position}" d="M0 6h18" /><path class="chart-mark" d=${mark(position, 9, 6)} />`
      : html`<rect class="bar" x="0.5" y="0.5" width="17" height="11" rx="2" fill="url(#${id}-${position})" />`}
  </svg>`;
}
