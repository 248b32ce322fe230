// One query: its text, its findings with their proofs, its parameter sets, and the plan of each.

const ORDER = { error: 0, warning: 1, info: 2 };

function findingCard(report, finding, { level = 3, named = false } = {}) {
  const id = `finding-${finding.id}`;
  const rule = report.rules[finding.rule];
  const facts = [
    finding.cost && `${finding.cost} a call${finding.calls ? ` × ${finding.calls} calls/s` : ''}`,
    finding.place,
    finding.suppressed && `does not count: ${finding.suppressed.reason} (${finding.suppressed.by})`,
    finding.gates && 'fails the command',
  ].filter(Boolean);
  const about = named && (finding.query
    ? make('a', { href: places.query(finding.query) }, finding.query)
    : make('strong', {}, finding.about ?? 'the schema'));
  return make('article', {
    class: `card finding ${finding.severity}${finding.suppressed ? ' suppressed' : ''}`,
    id, tabindex: '-1', 'aria-labelledby': `${id}-title`,
  },
  heading(level, [badge(finding.severity, SEVERITY[finding.severity]), ' ', ruleName(finding.rule), about && [' ', about], ' ',
    make('a', { class: 'anchor', href: places.finding(finding.id), title: 'Link to this finding' }, `#${finding.id.slice(0, 8)}`),
  ], { id: `${id}-title`, class: 'finding-title' }),
  make('p', { class: 'message' }, prose(finding.message)),
  facts.length > 0 && make('p', { class: 'facts' }, facts.map((fact) => make('span', {}, fact))),
  finding.node_label && make('p', { class: 'at' }, 'At ', make('code', {}, finding.node_label),
    finding.condition && [': ', make('code', {}, finding.condition)]),
  finding.numbers.length > 0 && make('p', { class: 'facts' }, finding.numbers.map((number) => make('span', {}, number))),
  finding.why && make('p', {}, make('strong', {}, 'Why '), prose(finding.why)),
  finding.advice && make('p', {}, make('strong', {}, 'Do '), prose(finding.advice)),
  finding.calls_in_turn && sequence(finding.calls_in_turn, finding.query),
  finding.fix && make('div', { class: 'fix' },
    finding.fix.proof && make('p', { class: 'facts' }, make('span', {}, `Measured: ${finding.fix.proof.words.join(' · ')}`),
      finding.fix.size && make('span', {}, finding.fix.size),
      finding.fix.proof.build && make('span', {}, `built in ${finding.fix.proof.build}`)),
    finding.fix.proof && proofBars(finding.fix.proof),
    pasteable(finding.fix.sql)),
  finding.symptoms.length > 0 && make('div', {}, make('strong', {}, 'The same cause shows as'),
    make('ul', { class: 'plain' }, finding.symptoms.map((symptom) => make('li', {},
      badge(symptom.severity, SEVERITY[symptom.severity]), ' ', ruleName(symptom.rule), ' ', prose(symptom.message))))),
  rule && make('details', {}, make('summary', {}, `About ${finding.rule}`),
    make('p', {}, prose(rule.condition)), make('p', {}, prose(rule.why)), make('p', {}, prose(rule.advice)),
    make('div', { class: 'pair' },
      make('div', {}, make('p', { class: 'label' }, 'Flagged'), statement(rule.bad)),
      make('div', {}, make('p', { class: 'label' }, 'Not flagged'), statement(rule.good)))));
}

// Who asks whom, and how often: every arrow is a round trip.
function sequence({ parent, column, calls, each, trips }, child) {
  const told = Math.min(calls, 3);
  const more = calls - told - 1;
  const steps = [
    { text: parent, back: some(calls, 'row') },
    ...Array.from({ length: told }, (_, at) => ({ text: `${child} (${column} of row ${at + 1})` })),
    ...(more > 0 ? [{ gap: `… ${some(more, 'more round trip')} …` }] : []),
    ...(calls > told ? [{ text: `${child} (${column} of row ${count(calls)})` }] : []),
  ];
  const once = [{ text: parent, back: some(calls, 'row') }, { text: `${child} with all ${count(calls)} in one array`, back: 'all rows' }];
  const place = (list, at) => 62 + at * 38 + 14 * list.slice(0, at).filter((step) => step.back).length;
  const high = (list) => place(list, list.length) - 6;
  const cut = (text) => (text.length > 46 ? `${text.slice(0, 45)}…` : text);
  const picture = (title, list, kind) => {
    const marker = `arrow-${kind}-${parent.length}-${calls}`;
    const parts = list.flatMap((step, at) => {
      const y = place(list, at);
      if (step.gap) return [draw('text', { x: 200, y: y + 4, 'text-anchor': 'middle', class: 'gap' }, step.gap)];
      return [
        draw('text', { x: 200, y: y - 5, 'text-anchor': 'middle' }, cut(step.text)),
        draw('line', { x1: 40, x2: 356, y1: y, y2: y, class: 'ask', 'marker-end': `url(#${marker})` }),
        draw('line', { x1: 360, x2: 44, y1: y + 10, y2: y + 10, class: 'answer', 'marker-end': `url(#${marker})` }),
        step.back && draw('text', { x: 200, y: y + 21, 'text-anchor': 'middle', class: 'back' }, step.back),
      ];
    });
    const arrow = draw('marker', { id: marker, viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' },
      draw('path', { d: 'M0 0L8 4L0 8z' }));
    return make('figure', { class: `sequence ${kind}` },
      make('figcaption', {}, title),
      draw('svg', { viewBox: `0 0 400 ${high(list)}`, role: 'img', 'aria-label': title },
        draw('defs', {}, arrow),
        draw('text', { x: 40, y: 14, 'text-anchor': 'middle', class: 'who' }, 'app'),
        draw('text', { x: 360, y: 14, 'text-anchor': 'middle', class: 'who' }, 'PostgreSQL'),
        draw('line', { x1: 40, x2: 40, y1: 22, y2: high(list), class: 'life' }),
        draw('line', { x1: 360, x2: 360, y1: 22, y2: high(list), class: 'life' }), parts));
  };
  const slowest = Math.max(...trips.map((trip) => trip.ms), 1);
  return make('div', { class: 'n-plus-one' },
    make('div', { class: 'pair' },
      picture(`As it is: ${some(calls + 1, 'round trip')}${each ? `, ${each} each in the server` : ''}`, steps, 'is'),
      picture('Asked once: 2 round trips', once, 'once')),
    trips.length > 0 && make('div', { class: 'trips', role: 'group', 'aria-label': 'What all calls take, by the way to the server' },
      trips.map((trip) => make('div', { class: 'bar-row' },
        make('span', { class: 'bar-name' }, trip.place),
        make('span', { class: 'track' }, make('span', { class: 'bar', vars: { '--share': trip.ms / slowest } })),
        make('span', { class: 'bar-value' }, trip.time)))));
}

function queryPage(report, index) {
  const query = report.queries[index];
  const parts = data(`query-${index}`);
  const findings = report.findings.filter((finding) => finding.query === query.name)
    .sort((a, b) => (a.suppressed ? 1 : 0) - (b.suppressed ? 1 : 0) || ORDER[a.severity] - ORDER[b.severity]);
  const marks = findings.filter((finding) => !finding.suppressed).flatMap((finding) => finding.marks);
  const facts = [
    `${query.file}:${query.line}`,
    query.calls && `${query.calls} calls a second`,
    query.asked_by && `asked by ${query.asked_by}`,
    query.time !== '-' && `${query.time}${query.with_fix ? ` → ${query.with_fix} with its fix` : ''}`,
    query.pages !== null && some(query.pages, 'page'),
  ].filter(Boolean);
  return make('div', { class: 'query' },
    heading(1, [query.name, ' ', badge(query.standing)]),
    make('p', { class: 'facts' }, facts.map((fact) => make('span', {}, fact))),
    parts.notes.map((note) => make('p', { class: 'note' }, prose(note))),
    parts.failure && make('p', { class: 'note error' }, make('strong', {}, 'The server refused it: '), parts.failure.message,
      parts.failure.hint && make('span', { class: 'quiet' }, ` ${parts.failure.hint}`)),
    query.sql && section('sql', 'Statement', statement({ text: query.sql, inks: parts.inks }, { marks, first: query.line, lines: true })),
    findings.length > 0 && section('findings', some(findings.length, 'finding'),
      findings.map((finding) => findingCard(report, finding))),
    parts.runs.length > 0 && runsOf(query, parts.runs, findings));
}

// Parameter sets to choose from, and the plan of the chosen one.
function runsOf(query, runs, findings) {
  const place = make('div', {});
  const choose = (at) => {
    const run = runs[at];
    const told = findings.filter((finding) => !finding.suppressed)
      .flatMap((finding) => [finding, ...finding.symptoms.map((symptom) => ({ ...symptom, id: finding.id }))])
      .filter((finding) => finding.run === run.label && finding.node !== null);
    const view = planView(run.plan, told, `${query.name}, ${run.label}`);
    buttons.forEach((button, n) => button.setAttribute('aria-pressed', String(n === at)));
    place.replaceChildren(heading(3, ['Plan: ', run.label]), view);
    if (place.isConnected) view.dispatchEvent(new CustomEvent('pgproof:shown'));
  };
  const buttons = runs.map((run, at) => make('button', { type: 'button', class: 'set', on: { click: () => choose(at) } }, run.label));
  const rows = runs.map((run, at) => [
    buttons[at],
    run.parameters.length === 0 ? '–' : make('span', { class: 'values' }, run.parameters.map((parameter) =>
      make('span', { title: [parameter.type, parameter.column].filter(Boolean).join(', ') },
        `${parameter.name} = `, make('code', {}, parameter.value ?? 'NULL')))),
    run.outcome === 'ran' ? run.time : `${run.time === '-' ? '' : run.time} ${run.outcome}`,
    run.planning ?? '–', count(run.rows), count(run.pages), count(run.temporary),
  ]);
  choose(0);
  return section('runs', runs.length === 1 ? 'How it ran' : `How it ran with ${runs.length} parameter sets`,
    table('Parameter sets', [['set', ''], ['parameters', 'wide'], ['time', 'number'], ['planning', 'number'], ['rows', 'number'],
      ['pages', 'number'], ['temporary pages', 'number']], rows, { class: 'runs' }),
    place);
}
