// A plan as a tree that grows to the right: boxes as high and as warm as what they cost themselves, lines as thick as the
// rows that flow. Only what can be seen is in the document, so that a plan of thousands of nodes scrolls.
const BOX = { width: 276, least: 62, most: 116, right: 40, below: 10, margin: 14, letters: 34, line: 17 };
const MANY = 60; // nodes, from which on what costs next to nothing is folded at first
const QUIET = 0.02; // share of the plan

const MEASURES = {
  time: { name: 'own time', share: 'time_share', value: (node) => millis(node.own_ms) },
  pages: { name: 'own pages', share: 'page_share', value: (node) => some(node.own_pages ?? 0, 'page') },
};

function planView(plan, found, name) {
  const nodes = plan.nodes.map((node, id) => ({ id, node, children: [], level: 1, open: true, found: [] }));
  for (const item of nodes) {
    if (item.node.parent === undefined) continue;
    const parent = nodes[item.node.parent];
    item.level = parent.level + 1;
    parent.children.push(item);
    item.place = parent.children.length;
  }
  for (const finding of found) {
    if (finding.node !== null && nodes[finding.node]) nodes[finding.node].found.push(finding);
  }
  const measured = Object.keys(MEASURES).filter((key) => nodes.some(({ node }) => node[MEASURES[key].share] !== undefined));
  let measure = measured[0];
  let zoom = 1;
  let visible = [];
  let selected = null;
  let focused = nodes[0];
  const drawn = new Map();
  const lines = new Map();

  const share = (item) => (measure ? item.node[MEASURES[measure].share] ?? 0 : 0);
  const edges = draw('svg', { class: 'edges', 'aria-hidden': 'true' });
  const layer = make('div', { class: 'layer', role: 'presentation' }, edges);
  const sheet = make('div', { class: 'sheet', role: 'presentation' }, layer);
  const canvas = make('div', { class: 'canvas', role: 'tree', 'aria-label': `Plan: ${name}` }, sheet);
  const side = make('section', { class: 'details', 'aria-label': 'Details of the node', tabindex: '0' });

  function foldQuiet() {
    const whole = nodes.map(share);
    const told = nodes.map((item) => item.found.length > 0);
    for (const { id, node } of [...nodes].reverse()) {
      if (node.parent === undefined) continue;
      whole[node.parent] += whole[id];
      told[node.parent] ||= told[id];
    }
    for (const item of nodes) {
      const quiet = item.node.parent !== undefined && whole[item.id] - share(item) < QUIET;
      const told_below = item.children.some((child) => told[child.id]);
      item.open = !(quiet && !told_below) || item.children.length === 0;
    }
  }

  function layout() {
    visible = [];
    const stack = [nodes[0]];
    while (stack.length > 0) {
      const item = stack.pop();
      item.height = BOX.least + Math.round((BOX.most - BOX.least) * share(item)) + (item.found.length > 0 ? 24 : 0)
        + (item.node.label.length + (item.node.part_of?.length ?? -2) + 2 > BOX.letters ? BOX.line : 0);
      visible.push(item);
      if (item.open) stack.push(...[...item.children].reverse());
    }
    const below = (item) => (item.open ? item.children : []);
    for (const item of [...visible].reverse()) {
      const inside = below(item);
      item.inside = inside.reduce((sum, child) => sum + child.whole + BOX.below, -BOX.below);
      item.whole = Math.max(item.height, item.inside);
    }
    nodes[0].top = BOX.margin;
    let wide = 0;
    for (const item of visible) {
      item.x = BOX.margin + (item.level - 1) * (BOX.width + BOX.right);
      item.y = item.top + (item.whole - item.height) / 2;
      wide = Math.max(wide, item.x + BOX.width + BOX.margin);
      let top = item.top + (item.whole - item.inside) / 2;
      for (const child of below(item)) {
        child.top = top;
        top += child.whole + BOX.below;
      }
    }
    return { wide, high: nodes[0].whole + 2 * BOX.margin };
  }

  let size = { wide: 0, high: 0 };
  function arrange() {
    size = layout();
    for (const element of drawn.values()) element.remove();
    drawn.clear();
    edges.replaceChildren();
    lines.clear();
    scale();
  }

  function scale() {
    sheet.style.width = `${size.wide * zoom}px`;
    sheet.style.height = `${size.high * zoom}px`;
    layer.style.setProperty('--zoom', zoom);
    edges.setAttribute('width', size.wide);
    edges.setAttribute('height', size.high);
    canvas.style.height = `${Math.min(Math.max(size.high * zoom + 2, 160), Math.max(window.innerHeight * 0.7, 320))}px`;
    show();
  }

  function show(all = false) {
    const margin = 400;
    const left = canvas.scrollLeft / zoom - margin;
    const top = canvas.scrollTop / zoom - margin;
    const right = left + (canvas.clientWidth || window.innerWidth) / zoom + 2 * margin;
    const bottom = top + (canvas.clientHeight || window.innerHeight) / zoom + 2 * margin;
    const added = [];
    for (const item of visible) {
      const seen = all || item === focused
        || (item.x < right && item.x + BOX.width > left && item.y < bottom && item.y + item.height > top);
      if (!seen) {
        drawn.get(item.id)?.remove();
        drawn.delete(item.id);
      } else if (!drawn.has(item.id)) {
        const element = box(item);
        drawn.set(item.id, element);
        added.push(element);
      }
      edge(item, all, { left, top, right, bottom });
    }
    layer.append(...added);
  }

  function edge(item, all, view) {
    if (item.node.parent === undefined) return;
    const parent = nodes[item.node.parent];
    const from = { x: parent.x + BOX.width, y: parent.y + parent.height / 2 };
    const to = { x: item.x, y: item.y + item.height / 2 };
    const seen = all || (from.x < view.right && to.x > view.left
      && Math.min(from.y, to.y) < view.bottom && Math.max(from.y, to.y) > view.top);
    if (!seen) {
      lines.get(item.id)?.remove();
      lines.delete(item.id);
    } else if (!lines.has(item.id)) {
      const rows = (item.node.rows ?? item.node.expected ?? 0) * (item.node.loops ?? 1);
      const middle = (from.x + to.x) / 2;
      const line = draw('path', {
        d: `M${from.x} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`,
        'stroke-width': 1 + Math.log10(1 + rows),
        class: item.node.loops === 0 ? 'never' : null,
      });
      lines.set(item.id, line);
      edges.append(line);
    }
  }

  function box(item) {
    const { node, found: told } = item;
    const cost = measure && node[MEASURES[measure].share] !== undefined;
    const never = node.loops === 0;
    const element = make('div', {
      class: `node${never ? ' never' : ''}${item === selected ? ' selected' : ''}`,
      role: 'treeitem',
      'aria-level': item.level,
      'aria-setsize': item.level === 1 ? 1 : nodes[node.parent].children.length,
      'aria-posinset': item.place ?? 1,
      'aria-expanded': item.children.length > 0 ? String(item.open) : null,
      'aria-selected': String(item === selected),
      tabindex: item === focused ? '0' : '-1',
      vars: {
        '--share': share(item), left: `${item.x}px`, top: `${item.y}px`, width: `${BOX.width}px`, height: `${item.height}px`,
      },
      on: {
        click: () => select(item),
        focus: () => { focused = item; },
      },
    },
    make('div', { class: 'node-label' }, node.part_of && make('span', { class: 'part-of' }, `${node.part_of}: `), node.label),
    cost && make('div', { class: 'node-cost' },
      make('span', { class: 'track' }, make('span', { class: 'bar', vars: { '--share': share(item) } })),
      make('span', {}, unseenText(`, ${MEASURES[measure].name} `), `${MEASURES[measure].value(node)} · ${percent(share(item))}`)),
    make('div', { class: 'node-rows' }, unseenText(', '), rowsOf(node)),
    told.length > 0 && make('div', { class: 'node-found' }, unseenText(', '), told.slice(0, 2).map((finding) =>
      badge(finding.severity, finding.rule)), told.length > 2 && `+${told.length - 2}`),
    item.children.length > 0 && make('span', {
      class: 'fold', 'aria-hidden': 'true',
      on: { click: (event) => { event.stopPropagation(); toggle(item); } },
    }, item.open ? '−' : `+${hidden(item)}`),
    !item.open && unseenText(`, ${some(hidden(item), 'node')} folded`));
    return element;
  }

  function hidden(item) {
    let number = 0;
    const stack = [...item.children];
    while (stack.length > 0) {
      number += 1;
      stack.push(...stack.pop().children);
    }
    return number;
  }

  function toggle(item, open = !item.open) {
    if (item.children.length === 0 || item.open === open) return;
    item.open = open;
    const y = item.y;
    arrange();
    canvas.scrollTop += (item.y - y) * zoom;
    show();
    go(item);
  }

  // Moves the focus, with as little scrolling as it takes.
  function go(item) {
    drawn.get(focused.id)?.setAttribute('tabindex', '-1');
    focused = item;
    const view = { left: canvas.scrollLeft, top: canvas.scrollTop, wide: canvas.clientWidth, high: canvas.clientHeight };
    const at = { left: item.x * zoom - 20, top: item.y * zoom - 20, right: (item.x + BOX.width) * zoom + 20, bottom: (item.y + item.height) * zoom + 20 };
    if (at.left < view.left) canvas.scrollLeft = at.left;
    else if (at.right > view.left + view.wide) canvas.scrollLeft = at.right - view.wide;
    if (at.top < view.top) canvas.scrollTop = at.top;
    else if (at.bottom > view.top + view.high) canvas.scrollTop = at.bottom - view.high;
    show();
    const element = drawn.get(item.id);
    element.setAttribute('tabindex', '0');
    element.focus({ preventScroll: true });
  }

  function select(item) {
    const before = selected;
    selected = item;
    for (const one of [before, item]) {
      const element = one && drawn.get(one.id);
      element?.classList.toggle('selected', one === item);
      element?.setAttribute('aria-selected', String(one === item));
    }
    side.replaceChildren(...detailsOf(item));
    go(item);
  }

  function detailsOf({ node, found: told }) {
    const pairs = (list) => list.map(([term, text]) => [make('dt', {}, term), make('dd', {}, text)]);
    return [
      heading(4, [node.part_of && `${node.part_of}: `, node.label]),
      told.map((finding) => make('p', { class: 'node-finding' }, badge(finding.severity, SEVERITY[finding.severity]), ' ',
        make('a', { href: places.finding(finding.id) }, finding.rule), ' ', prose(finding.message))),
      off(node) && make('p', { class: 'estimate' }, `${count(node.expected)} rows were expected, ${count(node.rows)} came: ${off(node)}`),
      make('dl', { class: 'conditions' }, pairs(node.conditions ?? [])),
      make('dl', { class: 'figures' }, pairs(node.details ?? [])),
    ].flat().filter(Boolean);
  }

  canvas.addEventListener('keydown', (event) => {
    const at = visible.indexOf(focused);
    const moves = {
      ArrowDown: () => go(visible[Math.min(at + 1, visible.length - 1)]),
      ArrowUp: () => go(visible[Math.max(at - 1, 0)]),
      Home: () => go(visible[0]),
      End: () => go(visible[visible.length - 1]),
      ArrowRight: () => {
        if (!focused.open) toggle(focused, true);
        else if (focused.children.length > 0) go(focused.children[0]);
      },
      ArrowLeft: () => {
        if (focused.open && focused.children.length > 0) toggle(focused, false);
        else if (focused.node.parent !== undefined) go(nodes[focused.node.parent]);
      },
      Enter: () => select(focused),
      ' ': () => select(focused),
      '+': () => setZoom(zoom * 1.25),
      '-': () => setZoom(zoom / 1.25),
      0: () => setZoom(1),
    };
    const move = !event.ctrlKey && !event.metaKey && !event.altKey && moves[event.key];
    if (!move || event.target.role === 'button') return;
    event.preventDefault();
    move();
  });
  let waiting = false;
  canvas.addEventListener('scroll', () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(); });
  }, { passive: true });

  function setZoom(wanted) {
    const middle = { x: (canvas.scrollLeft + canvas.clientWidth / 2) / zoom, y: (canvas.scrollTop + canvas.clientHeight / 2) / zoom };
    zoom = Math.min(Math.max(wanted, 0.1), 2);
    percentShown.textContent = `${Math.round(zoom * 100)} %`;
    scale();
    canvas.scrollLeft = middle.x * zoom - canvas.clientWidth / 2;
    canvas.scrollTop = middle.y * zoom - canvas.clientHeight / 2;
    show();
  }

  const press = (text, title, listener) => make('button', { type: 'button', title, on: { click: listener } },
    text.length > 1 ? text : [make('span', { 'aria-hidden': 'true' }, text), make('span', { class: 'unseen' }, title)]);
  const percentShown = make('button', { type: 'button', title: 'Full size', on: { click: () => setZoom(1) } }, '100 %');
  const byMeasure = measured.map((key) => make('button', {
    type: 'button', 'aria-pressed': String(key === measure),
    on: {
      click: () => {
        measure = key;
        byMeasure.forEach((button, n) => button.setAttribute('aria-pressed', String(measured[n] === key)));
        arrange();
      },
    },
  }, MEASURES[key].name));
  const openAll = (open) => () => {
    for (const item of nodes) item.open = open;
    if (!open) foldQuiet();
    arrange();
  };
  const bar = make('div', { class: 'toolbar', role: 'group', 'aria-label': 'How the plan is shown' },
    byMeasure.length > 0 && make('span', { class: 'together' }, byMeasure),
    make('span', { class: 'together' },
      press('−', 'Smaller', () => setZoom(zoom / 1.25)), percentShown, press('+', 'Larger', () => setZoom(zoom * 1.25)),
      press('Fit', 'Fit the plan into the window', () => setZoom(Math.min((canvas.clientWidth - 4) / size.wide, (window.innerHeight * 0.7) / size.high, 1)))),
    make('span', { class: 'together' },
      press('Unfold all', 'Unfold every node', openAll(true)),
      press('Fold quiet parts', 'Fold what costs less than 2 % and has no finding', openAll(false))),
    make('span', { class: 'quiet' }, some(nodes.length, 'node')));

  if (nodes.length > MANY) foldQuiet();
  const costliest = nodes.reduce((most, item) => (share(item) > share(most) ? item : most), nodes[0]);
  const first = nodes.find((item) => item.found.some((finding) => finding.severity === 'error')) ?? costliest;
  selected = first;
  side.replaceChildren(...detailsOf(first));
  const below = [
    ...(plan.triggers ?? []).map((text) => make('li', {}, `Trigger ${text}`)),
    ...(plan.beside ?? []).map(([term, text]) => make('li', {}, `${term}: ${text}`)),
    ...(plan.caveats ?? []).map((text) => make('li', { class: 'doubt' }, text)),
  ];
  const view = make('div', { class: 'plan' }, bar,
    make('div', { class: 'plan-parts' }, canvas, side),
    below.length > 0 && make('ul', { class: 'beside' }, below),
    nodes.length > 2 && measured.length > 0 && sums(plan.nodes));
  view.addEventListener('pgproof:shown', () => {
    arrange();
    // A plan that is somewhat too wide is shown somewhat smaller; what is selected at first is on the screen.
    const fit = (canvas.clientWidth - 4) / size.wide;
    if (fit < 1) setZoom(Math.max(fit, 0.85));
    canvas.scrollTop = (first.y + first.height / 2) * zoom - canvas.clientHeight / 2;
    canvas.scrollLeft = Math.max((first.x + BOX.width + 20) * zoom - canvas.clientWidth, 0);
    show();
  });
  view.addEventListener('pgproof:print', () => show(true));
  return view;
}

// Own time and pages by kind of node and by table: of many partitions or loops no single box says it.
function sums(nodes) {
  const by = (name, of) => {
    const groups = new Map();
    for (const node of nodes) {
      const key = of(node);
      if (key === undefined) continue;
      const group = groups.get(key) ?? { nodes: 0, ms: 0, pages: 0 };
      group.nodes += 1;
      group.ms += node.own_ms ?? 0;
      group.pages += node.own_pages ?? 0;
      groups.set(key, group);
    }
    const rows = [...groups].sort(([, a], [, b]) => b.ms - a.ms || b.pages - a.pages).slice(0, 30)
      .map(([key, group]) => [key, count(group.nodes), millis(group.ms), count(group.pages)]);
    return rows.length > 0 && table(`Sums by ${name}`, [[name, ''], ['nodes', 'number'], ['own time', 'number'], ['own pages', 'number']], rows);
  };
  return make('details', { class: 'sums' }, make('summary', {}, 'By kind of node and by table'),
    make('div', { class: 'pair' }, by('kind', (node) => node.kind), by('table', (node) => node.table)));
}

const unseenText = (text) => make('span', { class: 'unseen' }, text);

// How wrong the estimate is, in words; nothing where it is near.
function off(node) {
  if (node.rows === undefined || node.expected === undefined || node.loops === 0) return '';
  const [most, least] = [Math.max(node.rows, node.expected, 1), Math.max(Math.min(node.rows, node.expected), 1)];
  const factor = most / least;
  if (factor < 2) return '';
  return `${factor < 10 ? factor.toFixed(1) : count(Math.round(factor))} times ${node.rows > node.expected ? 'more' : 'fewer'} than expected`;
}

function rowsOf(node) {
  if (node.loops === 0) return 'never executed';
  if (node.rows === undefined) return node.expected === undefined ? '' : `${some(node.expected, 'row')} expected`;
  const loops = node.loops > 1 ? ` × ${some(node.loops, 'loop')}` : '';
  const wrong = off(node);
  const factor = wrong && Math.max(node.rows, node.expected, 1) / Math.max(Math.min(node.rows, node.expected), 1);
  return [`${some(node.rows, 'row')}${loops}`,
    wrong && make('span', { class: factor >= 10 ? 'wrong' : 'off' },
      ` ${node.rows > node.expected ? '↑' : '↓'}×${factor < 10 ? factor.toFixed(1) : count(Math.round(factor))} of ${count(node.expected)}`)];
}
