// What is behind the # of the page's address: the section, and the filter of each table as a
// parameter ("#tasks?task=spin"), so that a link shows what one sees.

const address = {
  place: '',
  filters: new URLSearchParams(),

  read() {
    const [place, filters = ''] = decodeURI(location.hash.slice(1)).split(/\?(.*)/s);
    this.place = place;
    this.filters = new URLSearchParams(filters);
  },

  write() {
    const filters = this.filters.toString();
    history.replaceState(null, '', `#${this.place}${filters === '' ? '' : `?${filters}`}`);
  },

  setFilter(id, text) {
    if (text === '') this.filters.delete(id);
    else this.filters.set(id, text);
    this.write();
  },

  goTo(place) {
    this.place = place;
    this.write();
    document.getElementById(place)?.scrollIntoView();
  },
};
