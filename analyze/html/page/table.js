// A table that sorts and filters, and has elements only for the rows that are in sight.

const MARGIN_ROWS = 12;       // above and below those in sight
const WIDEST_CELL = 100;      // characters; the whole text is in the cell's title
const PRINTED_ROWS = 200;

// A filter: words that a row must contain, and conditions such as cpu=3, waiting>10ms.
function parseFilter(text, rows) {
  return text.toLowerCase().split(/\s+/).filter((word) => word !== '').map((word) => {
    const match = /^([a-z0-9_]+)([=<>])(.+)$/.exec(word);
    const column = match && rows.columns.find(({name, label}) =>
        name === match[1] || label === match[1]);
    if (!column) return (row, whole) => whole(row).includes(word);
    if (match[2] === '=') {
      return (row) => {
        const value = column.value(row);
        return value !== null &&
            (String(value).toLowerCase() === match[3] ||
             column.show(value).toLowerCase() === match[3]);
      };
    }
    const limit = parseQuantity(match[3], column.unit);
    const sign = match[2] === '>' ? 1 : -1;
    return (row) => {
      const value = column.value(row);
      return value !== null && (value - limit) * sign > 0;
    };
  });
}

const collator = new Intl.Collator('en', {numeric: true});

// Unknown values last, whichever the direction.
function compareValues(a, b, sign) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  if (typeof a === 'number' && typeof b === 'number') return (a - b) * sign;
  return collator.compare(String(a), String(b)) * sign;
}

class DataTable {
  constructor({id, title}) {
    this.id = id;
    this.title = title;
    this.rows = rowsOf.get(id);
    this.order = Array.from({length: this.rows.length}, (unused, row) => row);
    this.sorted = {column: null, direction: 'none'};
    this.filter = '';
    this.wholeTexts = [];
    this.first = this.end = -1;
    this.rowHeight = 28;
    this.element = null;
    this.marked = null;
  }

  // Its elements, made when it is first shown.
  build() {
    if (this.element !== null) return this.element;
    this.input = make('input', {type: 'search', id: `filter-${this.id}`, value: this.filter,
                                autocomplete: 'off', spellcheck: false,
                                placeholder: 'words, cpu=1, waiting>10ms'});
    this.input.addEventListener('input', () => this.setFilter(this.input.value));
    this.count = make('output', {className: 'count', htmlFor: `filter-${this.id}`});
    this.body = make('tbody');
    this.table = make('table', {'aria-rowcount': this.rows.length + 1},
                      this.columnWidths(), this.head(), this.body);
    this.scroll = make('div', {className: 'scroll', tabIndex: 0, role: 'region',
                               'aria-label': this.title}, this.table);
    this.scroll.addEventListener('scroll', () => this.render(), {passive: true});
    new ResizeObserver(() => this.render()).observe(this.scroll);
    this.element = make('div', {className: 'data'},
        make('div', {className: 'tools'},
             make('label', {htmlFor: `filter-${this.id}`}, 'Filter'), this.input, this.count),
        this.scroll);
    this.apply();
    return this.element;
  }

  columnWidths() {
    const columns = this.rows.columns.map((column) => {
      const width = Math.min(WIDEST_CELL, Math.max(column.label.length + 2, column.width()));
      const element = make('col');
      element.style.width = `calc(${width}ch + 1.25rem)`;
      return element;
    });
    return make('colgroup', {}, ...columns);
  }

  head() {
    this.headers = this.rows.columns.map((column) => {
      const button = make('button', {type: 'button', title: column.meaning}, column.label);
      button.addEventListener('click', () => this.sortBy(column));
      return make('th', {scope: 'col', 'aria-sort': 'none',
                         className: column.numeric ? 'number' : ''}, button);
    });
    return make('thead', {}, make('tr', {'aria-rowindex': 1}, ...this.headers));
  }

  // Ascending, then descending, then as it was.
  sortBy(column) {
    const next = {none: 'ascending', ascending: 'descending', descending: 'none'};
    const now = this.sorted.column === column ? this.sorted.direction : 'none';
    this.sorted = {column, direction: next[now]};
    this.headers.forEach((header, index) => {
      const its = this.rows.columns[index] === column;
      header.setAttribute('aria-sort', its ? this.sorted.direction : 'none');
    });
    this.apply();
  }

  setFilter(text) {
    this.filter = text;
    address.setFilter(this.id, text);
    if (this.element === null) return;
    if (this.input.value !== text) this.input.value = text;
    this.apply();
  }

  wholeText(row) {
    return this.wholeTexts[row] ??=
        this.rows.columns.map((column) => column.text(row)).join('\n').toLowerCase();
  }

  apply() {
    const conditions = parseFilter(this.filter, this.rows);
    const whole = (row) => this.wholeText(row);
    const order = [];
    for (let row = 0; row < this.rows.length; ++row) {
      if (conditions.every((holds) => holds(row, whole))) order.push(row);
    }
    const {column, direction} = this.sorted;
    if (direction !== 'none') {
      const sign = direction === 'ascending' ? 1 : -1;
      order.sort((a, b) => compareValues(column.value(a), column.value(b), sign) || a - b);
    }
    this.order = order;
    this.count.value = order.length === this.rows.length
        ? plural(order.length, 'row') : `${order.length} of ${plural(this.rows.length, 'row')}`;
    this.table.setAttribute('aria-rowcount', order.length + 1);
    this.scroll.scrollTop = 0;
    this.first = this.end = -1;
    this.render();
  }

  // Makes the rows that are in sight; `all` of them, up to a limit, for printing.
  render(all = false) {
    const inSight = Math.ceil((this.scroll.clientHeight || 400) / this.rowHeight);
    const top = Math.floor(this.scroll.scrollTop / this.rowHeight);
    if (!all && this.first >= 0 && top >= this.first &&
        Math.min(top + inSight, this.order.length) <= this.end) {
      if (top - this.first <= 2 * MARGIN_ROWS) return;
    }
    this.first = all ? 0 : Math.max(0, Math.min(top, this.order.length - inSight) - MARGIN_ROWS);
    this.end = Math.min(this.order.length,
                        all ? PRINTED_ROWS : this.first + inSight + 2 * MARGIN_ROWS);
    const rows = [this.space(this.first)];
    for (let index = this.first; index < this.end; ++index) rows.push(this.makeRow(index));
    const rest = this.order.length - this.end;
    rows.push(all && rest > 0 ? this.note(`and ${rest} more, not printed`) : this.space(rest));
    this.body.replaceChildren(...rows);
    this.measure();
  }

  measure() {
    const height = this.body.children[1]?.getBoundingClientRect().height;
    if (!height || this.end === this.first || Math.abs(height - this.rowHeight) < 0.01) return;
    this.rowHeight = height;
    this.first = this.end = -1;
    this.render();
  }

  makeRow(index) {
    const row = this.order[index];
    const cells = this.rows.columns.map((column) => this.makeCell(column, row));
    const element = make('tr', {'aria-rowindex': index + 2}, ...cells);
    if (this.id === 'log') element.className = logLevelClass(this.rows.get(row, 'level'));
    if (row === this.marked) element.classList.add('marked');
    return element;
  }

  makeCell(column, row) {
    const value = column.value(row);
    const text = this.id === 'log' && column.name === 'level'
        ? LOG_LEVELS[value] ?? column.show(value) : column.show(value);
    const cell = document.createElement('td');
    if (column.numeric) cell.className = 'number';
    if (value === null) cell.classList.add('none');
    if (column.name === 'stack' && value !== null) {
      cell.append(makeLink(`stack ${value}`, () => stacks.show(value - 1)));
    } else {
      cell.textContent = text;
    }
    if (text.length > WIDEST_CELL || (column.numeric && text !== String(value))) {
      cell.title = typeof value === 'number' ? `${value} ${column.unit}` : text;
    }
    return cell;
  }

  // Brings a row of the data into sight, a few rows below the top, and marks it.
  goToRow(row) {
    this.marked = row;
    this.first = this.end = -1;
    this.render();
    this.scroll.scrollTop = Math.max(0, (this.order.indexOf(row) - 2) * this.rowHeight);
    this.render();
  }

  space(rows) {
    const cell = make('td', {colSpan: this.rows.columns.length});
    cell.style.height = `${rows * this.rowHeight}px`;
    const row = make('tr', {className: 'space', 'aria-hidden': 'true'}, cell);
    row.hidden = rows <= 0;
    return row;
  }

  note(text) {
    return make('tr', {}, make('td', {colSpan: this.rows.columns.length}, text));
  }
}

// KERN_EMERG to KERN_DEBUG (include/linux/kern_levels.h).
const LOG_LEVELS = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

function logLevelClass(level) {
  if (level === null || level > 4) return '';
  return level <= 3 ? 'error' : 'warning';
}

// A button that looks like a link: it goes to another place of the page.
function makeLink(text, action) {
  const link = make('button', {type: 'button', className: 'link'}, text);
  link.addEventListener('click', action);
  return link;
}
