// The only place where elements are made. Texts of the report go in as text, never as markup.
const SVG = 'http://www.w3.org/2000/svg';

function filled(element, options, children) {
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === 'vars') {
      for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    } else if (name === 'href') {
      // Every link leads to another part of this page.
      if (String(value).startsWith('#')) element.setAttribute('href', value);
    } else {
      element.setAttribute(name, value === true ? '' : shown(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : shown(child));
  }
}

const make = (name, options, ...children) => filled(document.createElement(name), options, children);
const draw = (name, options, ...children) => filled(document.createElementNS(SVG, name), options, children);

// Characters that do something instead of being seen are spelled out.
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]/g;

function shown(text) {
  return String(text).replace(HARMFUL, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

// Backticks mark code; everything else of a sentence is text.
function prose(text) {
  const parts = shown(text ?? '').split('`');
  if (parts.length % 2 === 0) return [parts.join('`')];
  return parts.map((part, at) => (at % 2 === 1 ? make('code', {}, part) : part));
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function count(number) {
  if (number === null || number === undefined) return '–';
  if (!Number.isInteger(number) && Math.abs(number) < 10) return number.toFixed(1);
  return grouped.format(number);
}

const some = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

function millis(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 60000) return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms >= 100) return `${ms.toFixed(0)} ms`;
  return ms >= 1 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(2)} ms`;
}

function bytes(size) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit > 0 && size < 10 ? size.toFixed(1) : size.toFixed(0)} ${units[unit]}`;
}

function percent(share) {
  if (share <= 0) return '0 %';
  if (share < 0.001) return '< 0.1 %';
  return share < 0.1 ? `${(share * 100).toFixed(1)} %` : `${(share * 100).toFixed(0)} %`;
}

const places = {
  query: (name) => `#/query/${encodeURIComponent(name)}`,
  finding: (id) => `#/finding/${encodeURIComponent(id)}`,
};

// A block of data of this file; read when it is asked for.
function data(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

const SEVERITY = { error: 'error', warning: 'warning', info: 'note' };

const badge = (kind, text) => make('span', { class: `badge ${kind.replace(/ /g, '-')}` }, text ?? kind);

const ruleName = (rule) => make('span', { class: 'rule' }, rule);

function heading(level, text, options) {
  return make(`h${level}`, options, text);
}

function section(id, title, ...children) {
  return make('section', { 'aria-labelledby': `${id}-title` },
    heading(2, title, { id: `${id}-title` }), children);
}

// A statement with its colours; marks are the parts that a finding is about.
function statement({ text, inks }, { marks = [], first = 1, lines = false } = {}) {
  const cuts = new Set();
  for (const [from, to] of marks) cuts.add(from).add(to);
  const sorted = [...cuts].sort((a, b) => a - b);
  const isMarked = (at) => marks.some(([from, to]) => at >= from && at < to);
  const code = make('code', {});
  let at = 0;
  for (let n = 0; n < inks.length; n += 2) {
    const end = at + inks[n + 1];
    while (at < end) {
      const next = Math.min(end, sorted.find((cut) => cut > at) ?? end);
      const part = text.slice(at, next);
      const kind = [inks[n] && `ink-${inks[n]}`].filter(Boolean).join(' ');
      const piece = kind ? make('span', { class: kind }, part) : document.createTextNode(shown(part));
      code.append(isMarked(at) ? make('mark', {}, piece) : piece);
      at = next;
    }
  }
  const numbers = lines && make('span', { class: 'lines', 'aria-hidden': 'true' },
    text.split('\n').map((_, line) => first + line).join('\n'));
  return make('pre', { class: 'sql', tabindex: '0', role: 'group', 'aria-label': 'SQL' }, numbers, code);
}

function copyButton(text) {
  const button = make('button', { type: 'button', class: 'copy' }, 'Copy');
  const said = (word) => {
    button.textContent = word;
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  };
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      said('Copied');
    } catch {
      // A page from a file may not have the clipboard: the old way works everywhere.
      const area = make('textarea', {});
      area.value = text;
      document.body.append(area);
      area.select();
      said(document.execCommand('copy') ? 'Copied' : 'Select it');
      area.remove();
      button.focus();
    }
  });
  return button;
}

const pasteable = (sql) => make('div', { class: 'pasteable' }, statement(sql), copyButton(sql.text));

// Two bars on one scale: what was measured before and after.
function beforeAfter(name, before, after, words) {
  const most = Math.max(before ?? 0, after ?? 0) || 1;
  const bar = (label, value, text, kind) => make('div', { class: `bar-row ${kind}` },
    make('span', { class: 'bar-name' }, label),
    make('span', { class: 'track' },
      make('span', { class: 'bar', vars: { '--share': Math.max((value ?? most) / most, 0.004) } })),
    make('span', { class: 'bar-value' }, text));
  return make('div', { class: 'before-after', role: 'group', 'aria-label': `${name} before and after` },
    make('div', { class: 'bar-title' }, name),
    bar('before', before, words[0], 'was'), bar('after', after, words[1], after > before ? 'worse' : 'is'));
}

function proofBars(proof, only) {
  const { before, after } = proof;
  const time = beforeAfter('time', before ? before.ms : proof.cancelled_ms, after.ms,
    [before ? before.time : `cancelled after ${proof.cancelled ?? 'its limit'}`, after.time]);
  const pages = before && beforeAfter('pages', before.pages, after.pages, [count(before.pages), count(after.pages)]);
  const temporary = before && before.temporary !== after.temporary
    && beforeAfter('temporary pages', before.temporary, after.temporary, [count(before.temporary), count(after.temporary)]);
  return make('div', { class: 'proof' }, time, only !== 'time' && [pages, temporary]);
}

// A table; cells that are numbers stand right.
function table(caption, columns, rows, options = {}) {
  const head = columns.map(([name, kind]) => make('th', { scope: 'col', class: kind }, name));
  const body = rows.map((cells) => make('tr', {}, cells.map((cell, at) =>
    make(at === 0 ? 'th' : 'td', { class: columns[at][1], scope: at === 0 ? 'row' : null }, cell))));
  return make('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption },
    make('table', { class: options.class },
      make('caption', { class: 'unseen' }, caption),
      make('thead', {}, make('tr', {}, head)), make('tbody', {}, body)));
}
