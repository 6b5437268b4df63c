// The picture of the machine: CPUs by package, cache and core, what runs, and who waits in which
// queue for how long.

const MANY_CPUS = 16;            // from so many on, each is a cell (many.js)
const SHORTEST_WAIT_NS = 1e3;    // the left end of the logarithmic scale of waiting times
const QUEUES_SHOWN = 24;

class Picture {
  constructor() {
    this.tasks = rowsOf.get('task');
    this.taskByKva = new Map();
    for (let row = 0; row < this.tasks.length; ++row) {
      this.taskByKva.set(this.tasks.get(row, 'task_kva'), row);
    }
    this.cpus = rowsOf.get('cpu');
    this.queued = rowsOf.get('rq_task');
    this.queuedByCpu = this.queued.groupBy('cpu');
    this.dsqs = rowsOf.get('dsq');
    this.dsqTasks = rowsOf.get('dsq_task');
    this.dsqTasksByQueue = this.dsqTasks.groupBy('dsq_kva');
    this.inDsq = new Set(this.dsqTasks.byName.get('task_kva').values.map(
        (unused, row) => this.dsqTasks.get(row, 'task_kva')));
    // In a queue of a CPU, the list of all that sched_ext could run not counted.
    this.onQueue = new Set();
    for (let row = 0; row < this.queued.length; ++row) {
      if (this.queued.get(row, 'queue') !== 'scx_runnable') {
        this.onQueue.add(this.queued.get(row, 'task_kva'));
      }
    }
    this.waitingByCpu = this.waitingTasks();
    this.now = new Rows(report.cpu_now);
    this.nowByCpu = this.now.groupBy('cpu');
    this.topology = rowsOf.get('topology');
    this.topologyByCpu = this.topology.groupBy('cpu');
    this.many = this.cpus.length >= MANY_CPUS;
    this.barsShown = this.many ? 3 : 8;
    this.classes = new Set();
    this.lengths = [];  // of bars: the element, and how long its task waits
    this.logarithmic = false;
    this.longest = this.longestWait();
  }

  // Tasks that could run and do not, by CPU.
  waitingTasks() {
    const byCpu = new Map();
    for (let row = 0; row < this.tasks.length; ++row) {
      if (this.tasks.get(row, 'on_rq') !== 1 || this.tasks.get(row, 'on_cpu') !== 0 ||
          this.tasks.get(row, 'pid') === 0) {
        continue;
      }
      const cpu = this.tasks.get(row, 'cpu');
      if (!byCpu.has(cpu)) byCpu.set(cpu, []);
      byCpu.get(cpu).push(row);
    }
    return byCpu;
  }

  longestWait() {
    let longest = 0;
    for (const wait of this.tasks.byName.get('waiting_ns').values) {
      if (wait !== null) longest = Math.max(longest, wait);
    }
    return longest;
  }

  build() {
    if (this.cpus.length === 0) {
      return make('p', {className: 'notice'},
                  'No CPU can be drawn: the kernel\'s run queues were not found.');
    }
    const machine = make('div', {className: `machine${this.many ? ' many' : ''}`},
                         ...this.packages(), ...(this.many ? this.enlarged() : []));
    const queues = this.queues();
    return make('div', {className: 'picture'}, this.legend(), machine, queues);
  }

  // Packages with their caches, cores and CPUs; a level that tells nothing apart has no box.
  packages() {
    const rows = this.cpus.byName.get('cpu').values.map((unused, row) => row);
    const place = (name) => (row) => {
      const cpu = this.cpus.get(row, 'cpu');
      const found = this.topologyByCpu.get(cpu);
      return found === undefined ? null : this.topology.get(found[0], name);
    };
    const key = (...names) => (row) => names.map((name) => place(name)(row) ?? 'unknown').join('/');
    const levels = [
      {className: 'package', key: key('package'), label: (row) => {
        const node = place('node')(row);
        return `package ${place('package')(row) ?? 'unknown'}` +
            (node === null ? '' : `, node ${node}`);
      }},
      {className: 'llc', key: key('node', 'llc'),
       label: (row) => `last-level cache ${place('llc')(row) ?? 'unknown'}`},
    ];
    const cores = new Set(rows.map(key('package', 'die', 'core')));
    if (!this.many && cores.size < rows.length && place('core')(0) !== null) {
      levels.push({className: 'core', key: key('die', 'core'),
                   label: (row) => `core ${place('core')(row) ?? 'unknown'}`});
    }
    return this.boxes(rows, levels);
  }

  boxes(rows, levels) {
    if (levels.length === 0 && this.many) {
      return [make('div', {className: 'cells'}, ...rows.map((row) => this.cell(row)))];
    }
    if (levels.length === 0) {
      return [make('div', {className: 'tiles'}, ...rows.map((row) => this.tile(row)))];
    }
    const [level, ...below] = levels;
    const groups = new Map();
    for (const row of rows) {
      const key = level.key(row);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row);
    }
    return [...groups.values()].map((members) =>
        make('div', {className: `box ${level.className}`},
             make('p', {className: 'label'}, level.label(members[0])),
             make('div', {className: 'inside'}, ...this.boxes(members, below))));
  }

  isIdle(row) {
    return this.cpus.get(row, 'curr_kva') === this.cpus.get(row, 'idle_kva') &&
        this.cpus.get(row, 'curr_kva') !== null;
  }

  tile(row) {
    const cpu = this.cpus.get(row, 'cpu');
    const running = this.cpus.get(row, 'nr_running');
    const queues = this.queuesOf(cpu);
    const elsewhere = this.queuedElsewhere(cpu);
    const nowRow = this.nowByCpu.get(cpu)?.[0] ?? null;
    const idle = this.isIdle(row);
    const offline = this.cpus.get(row, 'online') === 0;
    const quiet = offline || (idle && queues.length === 0 && elsewhere === 0);
    return make('article', {className: `cpu${quiet ? ' quiet' : ''}${offline ? ' offline' : ''}`,
                            'aria-label': `CPU ${cpu}`},
        make('p', {className: 'heading'},
             make('b', {}, `CPU ${cpu}`),
             make('span', {title: 'Tasks on its run queue, the running one included'},
                  `${running ?? 'unknown'} runnable`)),
        offline ? make('p', {className: 'now'}, 'offline') : this.running(row, nowRow, idle),
        ...queues.map(({name, title, filter, table, bars}) =>
            this.queue({heading: name, title, bars, shown: this.barsShown, filter, table})),
        elsewhere === 0 ? null
                        : make('p', {className: 'where elsewhere'},
                               `${elsewhere} of its tasks ${elsewhere === 1 ? 'waits' : 'wait'}` +
                               ' in dispatch queues'));
  }

  // How many of its tasks wait in dispatch queues that are not its own.
  queuedElsewhere(cpu) {
    return (this.waitingByCpu.get(cpu) ?? []).map((task) => this.tasks.get(task, 'task_kva'))
        .filter((kva) => this.inDsq.has(kva) && !this.onQueue.has(kva)).length;
  }

  running(row, nowRow, idle) {
    const task = this.taskByKva.get(this.cpus.get(row, 'curr_kva'));
    const comm = this.cpus.get(row, 'curr_comm') ?? 'unknown';
    const pid = this.cpus.get(row, 'curr_pid') ?? 'unknown';
    const taskClass = task === undefined ? 'unknown' : this.tasks.get(task, 'class') ?? 'unknown';
    const mode = nowRow === null ? null : this.now.get(nowRow, 'mode');
    const since = nowRow === null ? null : this.now.get(nowRow, 'running_ns');
    const at = nowRow === null ? null : this.now.get(nowRow, 'at');
    const modeText = {user: 'user mode', kernel: 'kernel mode', halted: 'halted'}[mode] ??
        'mode unknown';
    this.classes.add(taskClass);
    const details = [modeText];
    if (since !== null) details.push(`for ${showDuration(since)}`);
    if (mode === 'kernel' && at !== null) details.push(`at ${at}`);
    const stack = task === undefined ? null : this.tasks.get(task, 'stack');
    return make('div', {className: 'now', 'data-class': taskClass},
        make('p', {},
             idle ? make('b', {}, 'idle') : make('b', {}, makeTaskLink(comm, pid)),
             ' ', make('small', {}, idle ? comm : String(pid)), ' ',
             make('span', {className: 'chip'}, taskClass)),
        make('p', {className: 'where'}, details.join(', '), ' ',
             stack === null ? null : makeLink(`stack ${stack}`, () => stacks.show(stack - 1))));
  }

  // The queues of a CPU that are not empty, and its tasks that are in none.
  queuesOf(cpu) {
    const byName = new Map();
    for (const row of this.queuedByCpu.get(cpu) ?? []) {
      const name = this.queued.get(row, 'queue');
      if (this.queued.get(row, 'running') === 1 || name === 'scx_runnable') continue;
      if (!byName.has(name)) byName.set(name, []);
      byName.get(name).push(this.barOfQueued(row, this.queued.get(row, 'task_kva')));
    }
    const queues = [...byName].map(([name, bars]) =>
        ({name, title: '', bars, table: 'rq_task', filter: `cpu=${cpu} queue=${name}`}));
    const nowhere = this.inNoQueue(cpu);
    if (nowhere.length > 0) {
      queues.push({name: 'in no queue', bars: nowhere, table: 'task',
                   title: 'Tasks that could run: those of a BPF scheduler that keeps them to ' +
                       'itself, and those of the class stop, which has no queue',
                   filter: `cpu=${cpu} on_rq=1 on_cpu=0`});
    }
    return queues;
  }

  inNoQueue(cpu) {
    return (this.waitingByCpu.get(cpu) ?? [])
        .map((task) => [this.tasks.get(task, 'task_kva'), task])
        .filter(([kva]) => !this.inDsq.has(kva) && !this.onQueue.has(kva))
        .map(([kva, task]) => this.barOf(kva, this.tasks.get(task, 'comm'),
                                         this.tasks.get(task, 'pid')));
  }

  barOfQueued(row, kva) {
    if (this.queued.get(row, 'pid') === null) {
      return {comm: this.queued.get(row, 'note') ?? 'unknown', pid: null, wait: null, text: '',
              taskClass: 'unknown'};
    }
    const bar = this.barOf(kva, this.queued.get(row, 'comm'), this.queued.get(row, 'pid'));
    if (this.queued.get(row, 'delayed') === 1) bar.text = 'sleeps';
    return bar;
  }

  barOf(kva, comm, pid) {
    const task = this.taskByKva.get(kva);
    const wait = task === undefined ? null : this.tasks.get(task, 'waiting_ns');
    const taskClass = task === undefined ? 'unknown' : this.tasks.get(task, 'class') ?? 'unknown';
    this.classes.add(taskClass);
    return {comm: comm ?? 'unknown', pid, wait, taskClass,
            text: wait === null ? 'unknown' : showDuration(wait)};
  }

  queue({heading, title, bars, shown, filter, table}) {
    const items = bars.slice(0, shown).map((bar) => this.bar(bar));
    if (bars.length > shown) {
      items.push(make('li', {className: 'more'},
                      makeLink(`and ${bars.length - shown} more`, () => showTable(table, filter))));
    }
    return make('div', {className: 'queue'},
        make('p', {className: 'label', title}, heading, ' ',
             make('span', {className: 'size'}, this.sizeText(bars))),
        make('ol', {className: 'bars'}, ...items));
  }

  // How many, and how long the one that waits longest does, which may not be among those shown.
  sizeText(bars) {
    const longest = longestOf(bars);
    return bars.length > 1 && longest >= 0
        ? `${bars.length}, the longest for ${showDuration(longest)}` : String(bars.length);
  }

  bar({comm, pid, wait, text, taskClass}) {
    const unknown = wait === null && pid !== null;
    const length = make('span', {className: unknown ? 'length unknown' : 'length'});
    if (wait !== null) this.lengths.push({length, wait});
    return make('li', {className: 'bar', 'data-class': taskClass,
                       title: `${comm}${pid === null ? '' : ` (${pid})`}, class ${taskClass}`},
        length,
        make('span', {className: 'name'}, pid === null ? comm : makeTaskLink(comm, pid),
             pid === null ? null : make('small', {}, ` ${pid}`)),
        make('span', {className: 'time'}, text));
  }

  // In percent; the longest wait of all is the whole width.
  lengthOf(wait) {
    if (!this.logarithmic) return Math.max(1, 100 * wait / this.longest);
    const decades = Math.log10(Math.max(this.longest, 10 * SHORTEST_WAIT_NS) / SHORTEST_WAIT_NS);
    const length = Math.log10(Math.max(wait, SHORTEST_WAIT_NS) / SHORTEST_WAIT_NS) / decades;
    return Math.max(1, 100 * length);
  }

  // The dispatch queues of sched_ext that are no CPU's own.
  queues() {
    const full = [];
    let empty = 0;
    for (let row = 0; row < this.dsqs.length; ++row) {
      if (this.dsqs.get(row, 'kind') === 'local') continue;
      const tasks = this.dsqTasksByQueue.get(this.dsqs.get(row, 'dsq_kva')) ?? [];
      if (this.dsqs.get(row, 'nr') === 0 && tasks.length === 0) ++empty;
      else full.push(this.dispatchQueue(row, tasks));
    }
    if (full.length + empty === 0) return make('div', {className: 'dsqs none'});
    full.sort((a, b) => b.longest - a.longest);
    const cards = full.slice(0, QUEUES_SHOWN).map((queue) => queue.element);
    const notes = [];
    if (full.length > QUEUES_SHOWN) {
      notes.push(`${plural(full.length - QUEUES_SHOWN, 'queue')} more with tasks`);
    }
    if (empty > 0) notes.push(plural(empty, 'empty queue'));
    const rest = `${cards.length > 0 ? 'and ' : ''}${notes.join(', ')}`;
    return make('div', {className: 'dsqs'}, make('h3', {}, 'Dispatch queues'), ...cards,
        notes.length === 0 ? null : make('p', {className: 'more'},
                                         makeLink(rest, () => showTable('dsq', ''))));
  }

  dispatchQueue(row, tasks) {
    const kind = this.dsqs.get(row, 'kind');
    const nr = this.dsqs.get(row, 'nr');
    const byVtime = this.dsqs.get(row, 'by_vtime');
    const cpu = this.dsqs.get(row, 'cpu');
    const node = this.dsqs.get(row, 'node');
    const bars = tasks.map((task) => this.barOf(this.dsqTasks.get(task, 'task_kva'),
                                                this.dsqTasks.get(task, 'comm'),
                                                this.dsqTasks.get(task, 'pid')));
    const scheduler = this.dsqs.get(row, 'scheduler');
    const where = (cpu !== null ? ` of CPU ${cpu}` : node !== null ? ` of node ${node}` : '') +
                  (scheduler > 0 ? ` of scheduler ${scheduler}` : '');
    const id = (this.dsqs.get(row, 'dsq_id') ?? 'unknown').replace(/^0x0*(?=.)/, '0x');
    const order = byVtime > 0 ? 'by vtime' : 'first in, first out';
    const element = make('div', {className: 'dsq'},
        make('p', {className: 'heading'}, make('b', {}, `${kind} ${id}${where}`),
             make('span', {}, plural(nr ?? 'unknown', 'task'))),
        make('p', {className: 'where'}, order));
    if (nr !== bars.length) {
      element.append(make('p', {className: 'where'}, `${bars.length} were found in it`));
    }
    element.append(this.queue({heading: 'waiting', title: '', bars, shown: 12, table: 'dsq_task',
                               filter: `dsq_kva=${this.dsqs.get(row, 'dsq_kva')}`}));
    return {element, longest: longestOf(bars)};
  }

  setLengths() {
    for (const {length, wait} of this.lengths) length.style.width = `${this.lengthOf(wait)}%`;
  }

  legend() {
    this.setLengths();
    const chips = [...this.classes].sort().map((taskClass) =>
        make('span', {className: 'chip', 'data-class': taskClass}, taskClass));
    const scale = make('span');
    const other = makeLink('', () => {
      this.logarithmic = !this.logarithmic;
      this.setLengths();
      say();
    });
    const say = () => {
      scale.textContent = 'Bars: how long a task has waited for a CPU, on a ' +
          (this.logarithmic ? `logarithmic scale from ${showDuration(SHORTEST_WAIT_NS)}`
                            : 'linear scale from 0') + ` to ${showDuration(this.longest)}. `;
      other.textContent = this.logarithmic ? 'Linear scale' : 'Logarithmic scale';
    };
    say();
    const text = this.longest === 0
        ? ['No task is known to wait for a CPU.'] : [scale, other];
    return make('p', {className: 'legend'}, ...text, ' Scheduling classes: ',
                ...chips.flatMap((chip) => [chip, ' ']));
  }
}

// In ns; -1 when no wait is known.
function longestOf(bars) {
  return bars.reduce((longest, {wait}) => Math.max(longest, wait ?? -1), -1);
}

function makeTaskLink(comm, pid) {
  return makeLink(comm, () => showTable('task', `pid=${pid}`));
}
