// The page: facts, findings, the picture, and a section of tables under each heading.

const FINDINGS_SHOWN = 20;
const tables = new Map();  // DataTable and the <details> around it, by id

const facts = new Map();
for (let row = 0; row < rowsOf.get('machine').length; ++row) {
  facts.set(rowsOf.get('machine').get(row, 'key'), rowsOf.get('machine').get(row, 'value'));
}

function fact(key) {
  return facts.get(key) ?? 'unknown';
}

function numberFact(key, show) {
  const value = facts.get(key);
  return value === undefined || value === null ? 'unknown' : show(Number(value));
}

function makeFacts() {
  const schedulers = rowsOf.get('scx');
  const lines = [
    ['Frozen', `${fact('captured_at')}, ${facts.get('trigger') ?? 'no reason given'}${
        facts.get('trigger_detail') ? `: ${facts.get('trigger_detail')}` : ''}`],
    ['Kernel', `Linux ${fact('release')}, up ${numberFact('uptime_ns', showDuration)}`],
    ['Machine', `${plural(fact('nr_cpus'), 'CPU')}, ${numberFact('memory_bytes', showBytes)}, ${
        fact('vmm_version')}, ${fact('accelerator')}`],
    ['Tasks', taskCounts()],
    ['Archive',
     `${report.name}, ${numberFact('archive_bytes', showBytes)}, digest ${fact('digest')}`],
  ];
  for (let row = 0; row < schedulers.length; ++row) {
    const name = schedulers.get(row, 'ops_name') ?? 'unknown';
    const parts = [`${name}, ${schedulers.get(row, 'enable_state') ?? 'state unknown'}`];
    for (const text of ['exit_reason', 'exit_message']) {
      if (schedulers.get(row, text)) parts.push(schedulers.get(row, text));
    }
    lines.splice(1 + row, 0, ['sched_ext', parts.join(': ')]);
  }
  return make('dl', {className: 'facts'}, ...lines.map(([name, text]) =>
      make('div', {}, make('dt', {}, name), make('dd', {}, text))));
}

function taskCounts() {
  const tasks = rowsOf.get('task');
  let threads = 0, kernel = 0;
  for (let row = 0; row < tasks.length; ++row) {
    if (tasks.get(row, 'pid') === 0) continue;
    ++threads;
    kernel += tasks.get(row, 'is_kthread') === 1 ? 1 : 0;
  }
  return `${plural(threads, 'thread')}, ${kernel} of the kernel`;
}

// Links that show the tasks in one state.
function makeStates() {
  const states = [...rowsOf.get('task').groupBy('state')];
  states.sort((a, b) => b[1].length - a[1].length);
  const links = states.map(([state, rows]) => state === null
      ? `${rows.length} unknown`
      : makeLink(`${rows.length} ${state}`, () => showTable('task', `state=${state}`)));
  return make('p', {className: 'states'}, 'By state: ',
              ...links.flatMap((link, index) => index === 0 ? [link] : [', ', link]));
}

// What happened, as the headline, with how sure that is and what it explains.
function makeVerdict() {
  const verdict = new Rows(report.verdict);
  const parts = [];
  for (let row = 0; row < verdict.length; ++row) {
    const explains = verdict.get(row, 'explains');
    parts.push(make('section',
        {id: 'verdict', className: `verdict ${verdict.get(row, 'severity')}`},
        make('h2', {}, verdict.get(row, 'sentence')),
        make('p', {}, make('b', {}, verdict.get(row, 'certainty')),
             explains ? `; explains ${explains}` : ''),
        ...makeEvidenceFold(verdict.get(row, 'evidence'))));
  }
  return parts;
}

// Findings that nothing explains; below each, folded, what it explains.
function makeFindings() {
  const findings = new Rows(report.findings);
  if (findings.length === 0) return make('p', {}, 'No rule found anything wrong.');
  const below = new Map();
  for (let row = 0; row < findings.length; ++row) {
    const cause = findings.get(row, 'explained_by');
    if (!below.has(cause)) below.set(cause, []);
    below.get(cause).push(row);
  }
  return makeFindingList(findings, below, null);
}

function makeFindingList(findings, below, cause) {
  const rows = below.get(cause) ?? [];
  const list = make('div', {className: 'findings'});
  const add = (from, to) => {
    for (const row of rows.slice(from, to)) list.append(makeFinding(findings, below, row));
  };
  add(0, FINDINGS_SHOWN);
  if (rows.length <= FINDINGS_SHOWN) return list;
  const more = makeLink(`show ${rows.length - FINDINGS_SHOWN} more`, () => {
    more.remove();
    add(FINDINGS_SHOWN, rows.length);
  });
  return make('div', {}, list, more);
}

function makeFinding(findings, below, row) {
  const severity = findings.get(row, 'severity');
  const rank = findings.get(row, 'rank');
  const parts = [
    make('p', {}, make('span', {className: 'severity'}, severity), ' ',
         make('b', {}, findings.get(row, 'subject')), ' ',
         make('small', {}, findings.get(row, 'rule'))),
    make('p', {}, findings.get(row, 'detail')),
    ...makeEvidenceFold(findings.get(row, 'evidence')),
  ];
  const explained = below.get(rank)?.length ?? 0;
  if (explained > 0) {
    parts.push(makeFold(`explains ${plural(explained, 'finding')}`,
                        () => makeFindingList(findings, below, rank)));
  }
  return make('article', {className: `finding ${severity}`}, ...parts);
}

// What is made when it is opened.
function makeFold(title, build) {
  const fold = make('details', {}, make('summary', {}, title));
  fold.addEventListener('toggle', () => {
    if (fold.open && fold.children.length === 1) fold.append(build());
  });
  return fold;
}

function makeEvidenceFold(evidence) {
  return evidence === '[]' ? [] : [makeFold('evidence', () => makeEvidence(evidence))];
}

function makeEvidence(text) {
  const rows = (() => {
    try {
      return JSON.parse(text);
    } catch {
      return [{evidence: text}];
    }
  })();
  return make('ul', {}, ...rows.map((row) => {
    const {table, ...values} = row;
    const parts = Object.entries(values).filter(([, value]) => value !== null)
        .map(([name, value]) => `${name} ${value}`).join(', ');
    const key = ['task_kva', 'dsq_kva', 'pid', 'seq', 'cpu', 'dsq_id'].find((name) =>
        values[name] !== undefined && values[name] !== null && rowsOf.get(table)?.byName.has(name));
    return make('li', {}, tables.has(table)
        ? makeLink(table, () => showTable(table, key ? `${key}=${values[key]}` : '')) : table ?? '',
        ` ${parts}`);
  }));
}

// A table that is made when it is opened.
function makeTable(description) {
  const table = new DataTable(description);
  table.filter = address.filters.get(table.id) ?? '';
  if (table.rows.length === 0) {
    return make('p', {id: `table-${table.id}`, className: 'empty'}, `${table.title}: none`);
  }
  const details = make('details', {id: `table-${table.id}`, className: 'table'},
      make('summary', {}, make('h3', {}, table.title), ' ',
           make('span', {className: 'count'}, plural(table.rows.length, 'row'))));
  details.addEventListener('toggle', () => {
    // To put it there again would forget where it was scrolled to.
    if (details.open && table.element === null) details.append(table.build());
  });
  tables.set(table.id, {table, details});
  if (description.open || table.filter !== '') {
    details.append(table.build());
    details.open = true;
  }
  return details;
}

// Opens a table, filtered, and goes there.
function showTable(id, filter) {
  const entry = tables.get(id);
  if (entry === undefined) return;
  if (entry.table.element === null) entry.details.append(entry.table.build());
  entry.details.open = true;
  entry.table.setFilter(filter);
  address.place = `table-${id}`;
  address.write();
  entry.details.scrollIntoView();
  entry.table.input.focus({preventScroll: true});
}

// The table, where all of its rows are shown.
function wholeTable(id) {
  const entry = tables.get(id);
  return entry?.details.open && entry.table.filter === '' ? entry.table : null;
}

// The trace opens at its end, the log where what the verdict tells of begins, else at its end.
function showMoment() {
  const trace = wholeTable('trace');
  if (trace !== null) trace.scroll.scrollTop = trace.scroll.scrollHeight;
  const table = wholeTable('log');
  if (table === null) return;
  const seqs = table.rows.byName.get('seq').values;
  const row = report.moment === null ? -1 : seqs.indexOf(report.moment);
  if (row < 0) table.scroll.scrollTop = table.scroll.scrollHeight;
  else table.goToRow(row);
}

function makeExitTexts() {
  return report.exit_texts.map(({title, lines}) =>
      make('details', {className: 'table'}, make('summary', {}, make('h3', {}, title), ' ',
           make('span', {className: 'count'}, plural(lines.length, 'line'))),
           make('pre', {className: 'scroll', tabIndex: 0}, lines.join('\n'))));
}

function addSection(title, ...children) {
  const id = title.toLowerCase();
  const link = make('a', {href: `#${id}`}, title);
  link.addEventListener('click', (event) => {
    event.preventDefault();
    address.goTo(id);
  });
  document.getElementById('contents').append(link);
  document.getElementById('report').append(
      make('section', {id}, make('h2', {}, title), ...children));
}

function addSections() {
  document.getElementById('report').append(...makeVerdict(), makeFacts());
  addSection('Findings', makeFindings());
  addSection('Machine', new Picture().build());
  const sections = new Map();
  for (const description of report.tables) {
    if (!sections.has(description.section)) sections.set(description.section, []);
    sections.get(description.section).push(description);
  }
  for (const [title, descriptions] of sections) {
    const children = descriptions.flatMap((description) => description.note === undefined
        ? [makeTable(description)]
        : [make('p', {className: 'note'}, description.note), makeTable(description)]);
    if (title === 'Tasks') children.unshift(makeStates());
    if (title === 'sched_ext') children.push(...makeExitTexts());
    addSection(title, ...children);
    if (title === 'Tasks') {
      addSection('Stacks', report.stacks.length === 0
          ? make('p', {}, 'No stack could be read.') : stacks.build());
    }
  }
}

// Follows the system until somebody says otherwise.
function addThemeSwitch() {
  const button = document.getElementById('theme');
  const themes = ['system', 'light', 'dark'];
  let theme = 0;
  button.addEventListener('click', () => {
    theme = (theme + 1) % themes.length;
    document.documentElement.style.colorScheme = theme === 0 ? '' : themes[theme];
    button.textContent = `Theme: ${themes[theme]}`;
  });
}

// '/' goes to the filter of the table that is in sight, or of the tasks.
function addFilterKey() {
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input, textarea, [contenteditable]');
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    event.preventDefault();
    const inSight = [...tables.values()].find(({details}) => {
      const place = details.getBoundingClientRect();
      return details.open && place.bottom > 0 && place.top < window.innerHeight;
    });
    if (inSight === undefined) return showTable('task', '');
    inSight.table.input.focus();
  });
}

address.read();
addThemeSwitch();
addFilterKey();
addSections();
showMoment();
document.getElementById(address.place)?.scrollIntoView();
window.addEventListener('beforeprint', () => {
  for (const {table} of tables.values()) if (table.element !== null) table.render(true);
});
window.addEventListener('afterprint', () => {
  for (const {table} of tables.values()) if (table.element !== null) table.apply();
});
