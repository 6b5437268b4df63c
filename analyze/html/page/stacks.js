// Stacks, each different one once: who is in it, and when it is unfolded its frames.

const STACKS_AT_ONCE = 50;
const NAMES_SHOWN = 6;
const TASKS_SHOWN = 200;
// How every task that waits gets away from its CPU: says nothing of what it waits for.
const SCHEDULES = /^(__switch_to(_asm)?|__schedule|schedule(_\w+)?|preempt_schedule\w*|io_schedule\w*)$/;

const stacks = {
  shown: 0,
  matching: [],
  list: null,

  build() {
    this.tasks = rowsOf.get('task');
    this.matching = report.stacks.map((unused, number) => number);
    this.list = make('div', {className: 'stacks'});
    this.count = make('output', {className: 'count', htmlFor: 'filter-stacks'});
    this.more = makeLink('', () => this.addMore());
    this.input = make('input', {type: 'search', id: 'filter-stacks', autocomplete: 'off',
                                spellcheck: false, placeholder: 'functions, tasks'});
    this.input.addEventListener('input', () => this.setFilter(this.input.value));
    this.input.value = address.filters.get('stacks') ?? '';
    this.apply();
    return make('div', {}, make('div', {className: 'tools'},
        make('label', {htmlFor: 'filter-stacks'}, 'Filter'), this.input, this.count),
        this.list, this.more);
  },

  setFilter(text) {
    address.setFilter('stacks', text);
    this.apply();
  },

  textOf(group) {
    return group.text ??= [...group.frames.map((frame) => report.texts[frame]), group.end,
      ...this.names(group).keys()].join('\n').toLowerCase();
  },

  apply() {
    const words = this.input.value.toLowerCase().split(/\s+/);
    this.matching = [];
    report.stacks.forEach((group, number) => {
      if (words.every((word) => this.textOf(group).includes(word))) this.matching.push(number);
    });
    const all = plural(report.stacks.length, 'different stack');
    this.count.value = this.matching.length === report.stacks.length
        ? all : `${this.matching.length} of ${all}`;
    this.list.replaceChildren();
    this.shown = 0;
    this.addMore();
  },

  addMore() {
    const end = Math.min(this.matching.length, this.shown + STACKS_AT_ONCE);
    for (; this.shown < end; ++this.shown) this.list.append(this.fold(this.matching[this.shown]));
    const rest = this.matching.length - this.shown;
    this.more.hidden = rest === 0;
    this.more.textContent = `show more: ${plural(rest, 'stack')}`;
  },

  // How many tasks of each name.
  names(group) {
    const names = new Map();
    for (const task of group.tasks) {
      const comm = this.tasks.get(task, 'comm') ?? 'unknown';
      names.set(comm, (names.get(comm) ?? 0) + 1);
    }
    return new Map([...names].sort((a, b) => b[1] - a[1]));
  },

  fold(number) {
    const group = report.stacks[number];
    const names = [...this.names(group)].map(([comm, count]) =>
        count === 1 ? comm : `${comm} ×${count}`);
    const more = names.length - NAMES_SHOWN;
    const all = group.frames.map((frame) => report.texts[frame].replace(/\+0x[0-9a-f]+/, ''));
    const waits = all.findIndex((name) => !SCHEDULES.test(name));
    const functions = all.slice(group.running || waits < 0 ? 0 : waits).slice(0, 4);
    const details = make('details', {id: `stack-${number + 1}`, className: 'stack'},
        make('summary', {},
             make('span', {className: 'size', title: plural(group.tasks.length, 'task')},
                  `${group.tasks.length} ×`), ' ',
             group.running ? make('span', {className: 'chip on'}, 'running') : null, ' ',
             make('span', {className: 'names'}, names.slice(0, NAMES_SHOWN).join(', ') +
                  (more > 0 ? `, and ${plural(more, 'other name')}` : '')), ' ',
             make('code', {}, functions.length === 0 ? group.end : functions.join(' ← '))));
    details.addEventListener('toggle', () => {
      if (details.open && details.children.length === 1) details.append(this.unfold(group, number));
    });
    return details;
  },

  unfold(group, number) {
    const frames = group.frames.map((frame) =>
        make('li', {}, make('code', {}, report.texts[frame])));
    const tasks = group.tasks.slice(0, TASKS_SHOWN).flatMap((task) => {
      const pid = this.tasks.get(task, 'pid') ?? 'unknown';
      return [makeTaskLink(this.tasks.get(task, 'comm') ?? 'unknown', pid),
              make('small', {}, ` ${pid}`), ' '];
    });
    const rest = group.tasks.length - TASKS_SHOWN;
    return make('div', {className: 'unfolded'},
        make('ol', {className: 'frames', start: 0}, ...frames),
        make('p', {className: 'end'}, `— ${group.end}`),
        make('p', {className: 'members'}, ...tasks,
             rest > 0 ? makeLink(`and ${rest} more`, () => showTable('task', `stack=${number + 1}`))
                      : null));
  },

  // Unfolds one, wherever the list is.
  show(number) {
    if (!this.matching.includes(number)) {
      this.input.value = '';
      this.setFilter('');
    }
    while (this.shown <= this.matching.indexOf(number)) this.addMore();
    const element = document.getElementById(`stack-${number + 1}`);
    element.open = true;
    element.scrollIntoView({block: 'center'});
    element.querySelector('summary').focus({preventScroll: true});
  },
};
