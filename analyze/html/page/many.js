// Many CPUs: a cell for each, and tiles of those whose tasks wait, and of the one that was chosen.

const TILES_OF_MANY = 12;

Object.assign(Picture.prototype, {
  // One of many CPUs: what runs as colour, how many wait as a number.
  cell(row) {
    const cpu = this.cpus.get(row, 'cpu');
    const offline = this.cpus.get(row, 'online') === 0;
    const idle = this.isIdle(row);
    const waiting = this.waitingByCpu.get(cpu) ?? [];
    const task = this.taskByKva.get(this.cpus.get(row, 'curr_kva'));
    const taskClass = task === undefined ? 'unknown' : this.tasks.get(task, 'class') ?? 'unknown';
    const comm = this.cpus.get(row, 'curr_comm') ?? 'unknown';
    const runs = offline ? 'offline' : idle ? 'idle'
        : `${comm} (${this.cpus.get(row, 'curr_pid') ?? 'unknown'}), class ${taskClass}`;
    if (!offline) this.classes.add(taskClass);
    const text = `CPU ${cpu}: ${runs}` + (waiting.length === 0 ? ''
        : `; ${plural(waiting.length, 'task')} of it ${waiting.length === 1 ? 'waits' : 'wait'}`);
    const cell = make('button', {type: 'button', title: text, 'aria-label': text,
                                 'aria-expanded': 'false', 'data-class': taskClass,
                                 className: `cell${offline ? ' offline' : idle ? ' idle' : ''}`},
        String(cpu), waiting.length === 0 ? null : make('b', {}, String(waiting.length)));
    cell.addEventListener('click', () => this.select(cell, row));
    return cell;
  },

  // Shows the tile of a cell, or takes it away again.
  select(cell, row) {
    const same = this.selected === cell;
    this.selected?.setAttribute('aria-expanded', 'false');
    this.selected = same ? null : cell;
    this.chosen.replaceChildren(...(same ? [] : [this.tile(row)]));
    this.chosen.hidden = same;
    if (!same) cell.setAttribute('aria-expanded', 'true');
    this.setLengths();
  },

  // Of many CPUs those whose tasks wait longest.
  enlarged() {
    const waitOf = (row) => Math.max(-1, ...(this.waitingByCpu.get(this.cpus.get(row, 'cpu')) ?? [])
        .map((task) => this.tasks.get(task, 'waiting_ns') ?? 0));
    const rows = this.cpus.byName.get('cpu').values.map((unused, row) => row)
        .map((row) => ({row, wait: waitOf(row)})).filter(({wait}) => wait >= 0)
        .sort((a, b) => b.wait - a.wait || a.row - b.row);
    this.chosen = make('div', {className: 'tiles chosen', 'aria-live': 'polite'});
    this.chosen.hidden = true;
    const rest = rows.length - TILES_OF_MANY;
    return [
      this.chosen,
      make('div', {className: 'tiles'},
           ...rows.slice(0, TILES_OF_MANY).map(({row}) => this.tile(row))),
      rest > 0 ? make('p', {className: 'more'}, makeLink(
          `and ${plural(rest, 'CPU')} more whose tasks wait`,
          () => showTable('task', 'on_rq=1 on_cpu=0'))) : null,
    ];
  },
});
