'use strict';
// The report's data, as the program wrote it, and how values are shown.

const report = JSON.parse(document.getElementById('data').textContent);

// An element. Children that are no elements become text: nothing of the guest is ever markup.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function showDuration(ns) {
  const size = Math.abs(ns);
  if (size < 1e3) return `${ns} ns`;
  if (size < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (size < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(3)} s`;
}

function showBytes(bytes) {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
  if (bytes >= 2 ** 10) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return `${bytes} B`;
}

function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

// "250ms" in units of a column; a number without a unit is in that unit already.
function parseQuantity(text, unit) {
  const match = /^(-?[\d.]+(?:e\d+)?)(ns|us|µs|ms|s)?$/.exec(text);
  if (!match) return NaN;
  const number = Number(match[1]);
  if (!match[2]) return number;
  const ns = number * {ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9}[match[2]];
  return unit === 'ms' ? ns / 1e6 : ns;
}

class Column {
  constructor({name, unit, meaning, values, shared}) {
    this.name = name;
    this.unit = unit;
    this.meaning = meaning;
    this.values = values;
    this.texts = shared ? report.texts : null;
    this.numeric = !shared && typeof values.find((value) => value !== null) === 'number';
    // Shown with its unit in every cell.
    this.label = /^(ns|ms|bytes)$/.test(unit) ? name.replace(/_(ns|ms|bytes)$/, '') : name;
  }

  // null: unknown, or there is none.
  value(row) {
    const value = this.values[row];
    return this.texts !== null && value !== null ? this.texts[value] : value;
  }

  show(value) {
    if (value === null) return '–';
    if (typeof value !== 'number') return value;
    if (this.name === 'time_ns') return `${(value / 1e9).toFixed(6)} s`;
    if (this.unit === 'ns') return showDuration(value);
    if (this.unit === 'ms') return showDuration(value * 1e6);
    if (this.unit === 'bytes') return showBytes(value);
    return String(value);
  }

  text(row) {
    return this.show(this.value(row));
  }

  // Of its longest text, in characters.
  width() {
    if (this.numeric) {
      if (this.name !== 'time_ns' && /^(ns|ms|bytes)$/.test(this.unit)) return 10;
      let width = 1;
      for (const value of this.values) {
        if (value !== null) width = Math.max(width, this.show(value).length);
      }
      return width;
    }
    let width = 1;
    const texts = this.texts === null ? this.values : new Set(this.values);
    for (const value of texts) {
      if (value === null) continue;
      width = Math.max(width, String(this.texts === null ? value : this.texts[value]).length);
    }
    return width;
  }
}

// Columns by name, and the number of rows.
class Rows {
  constructor(columns) {
    this.columns = columns.map((column) => new Column(column));
    this.byName = new Map(this.columns.map((column) => [column.name, column]));
    this.length = this.columns.length === 0 ? 0 : this.columns[0].values.length;
  }

  get(row, name) {
    const column = this.byName.get(name);
    return column === undefined ? null : column.value(row);
  }

  text(row, name) {
    return this.byName.get(name).text(row);
  }

  // Row numbers by the values of a column.
  groupBy(name) {
    const groups = new Map();
    for (let row = 0; row < this.length; ++row) {
      const value = this.get(row, name);
      if (!groups.has(value)) groups.set(value, []);
      groups.get(value).push(row);
    }
    return groups;
  }
}

const rowsOf = new Map(report.tables.map(({id, columns}) => [id, new Rows(columns)]));
