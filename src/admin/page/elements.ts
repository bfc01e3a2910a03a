/** How the page writes quantities, and keeps what it shows: rows and cards stay the same elements, so that focus and scroll stay too. */
export const elements = String.raw`
const byId = (id) => document.getElementById(id);

function duration(seconds) {
  if (typeof seconds !== 'number') return '';
  if (seconds < 60) return Math.round(seconds) + 's';
  const steps = [[86400, 'd', 3600, 'h'], [3600, 'h', 60, 'm'], [60, 'm', 1, 's']];
  const [big, bigUnit, small, smallUnit] = steps.find(([size]) => seconds >= size);
  const rest = Math.floor((seconds % big) / small);
  return Math.floor(seconds / big) + bigUnit + (rest === 0 ? '' : ' ' + rest + smallUnit);
}

const ago = (now, time) => (typeof time === 'number' ? duration(Math.max(0, (now - time) / 1000)) + ' ago' : 'never');
const count = (number) => Number(number ?? 0).toLocaleString('en');
const plural = (number, one, many) => count(number) + ' ' + (number === 1 ? one : many);

function size(bytes) {
  if (typeof bytes !== 'number') return 'unknown';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit += 1) bytes /= 1024;
  return (bytes >= 100 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)) + ' ' + units[unit];
}

function clock(time, withSeconds = true) {
  const parts = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return new Date(time).toLocaleTimeString('en', { ...parts, ...(withSeconds ? { second: '2-digit', timeZoneName: 'short' } : {}) });
}

function day(time) {
  return new Date(time).toLocaleDateString('en', { weekday: 'short', day: 'numeric', month: 'short' });
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

function make(name, className = '', text = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** The children of parent become those of the items, in their order; an item keeps its element by its key. */
function keep(parent, items, keyOf, create, update) {
  const known = (parent.known ??= new Map());
  const wanted = new Set();
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (wanted.has(key)) continue;
    wanted.add(key);
    const element = known.get(key) ?? create(item);
    known.set(key, element);
    update(element, item);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const [key, element] of known) {
    if (wanted.has(key)) continue;
    element.remove();
    known.delete(key);
  }
}

function makeButton({ label, about }) {
  const button = make('button', '', label);
  button.type = 'button';
  button.setAttribute('aria-label', label + ': ' + about);
  button.addEventListener('click', () => act(button, button.paths));
  return button;
}

const buttonsIn = (parent, buttons) => keep(parent, buttons, ({ label }) => label, makeButton, (button, { paths }) => (button.paths = paths));

/** A bar of what is used of something; share is 0 to 1. */
function setBar(bar, share, mood, name, text) {
  const percent = Math.round(Math.max(0, Math.min(1, share)) * 100);
  setClass(bar, 'bar ' + mood);
  if (bar.firstElementChild === null) bar.append(make('i'));
  bar.firstElementChild.style.width = percent + '%';
  const facts = { role: 'meter', 'aria-label': name, 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': String(percent), 'aria-valuetext': text };
  for (const [key, value] of Object.entries(facts)) if (bar.getAttribute(key) !== value) bar.setAttribute(key, value);
}

/** A cell is text, or { text, mood, small, number, bar, buttons }. */
function drawCell(cell, given, head) {
  const { text = '', mood = '', small = '', kind = '', bar, buttons } = typeof given === 'object' ? given : { text: given };
  setClass(cell, kind + (text === '' && buttons === undefined ? ' none' : ''));
  if (buttons !== undefined) return buttonsIn(cell, buttons);
  const main = (cell.main ??= cell.appendChild(make('span')));
  setText(main, text);
  setClass(main, mood);
  if (small !== '' || cell.more !== undefined) setText((cell.more ??= cell.appendChild(make('small'))), small);
  if (bar === undefined && cell.bar !== undefined) cell.bar.hidden = true;
  if (bar === undefined) return;
  cell.bar ??= cell.appendChild(make('div'));
  cell.bar.hidden = false;
  setBar(cell.bar, bar.share, bar.mood, head + ' of ' + bar.of, text + ' ' + small);
}

/** Rows are { key, cells }. */
function drawTable(id, rows) {
  const table = byId(id);
  table.hidden = rows.length === 0;
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const makeRow = ({ cells }) => {
    const row = make('tr');
    row.setAttribute('role', 'row');
    row.append(...cells.map((_, index) => {
      const cell = make(index === 0 ? 'th' : 'td');
      cell.setAttribute('role', index === 0 ? 'rowheader' : 'cell');
      if (index === 0) cell.scope = 'row';
      cell.dataset.label = heads[index];
      return cell;
    }));
    return row;
  };
  keep(table.tBodies[0], rows, ({ key }) => key, makeRow, (row, { cells }) => cells.forEach((cell, index) => drawCell(row.children[index], cell, heads[index])));
}

function drawOptional(section, id, rows) {
  byId(section).hidden = rows.length === 0;
  drawTable(id, rows);
}

const number = (value) => ({ text: count(value), kind: 'number' });
`;
