// The button of a heading sorts by its column; used again, the other way round. What is no number
// comes after the numbers in both directions.
document.querySelectorAll('thead th').forEach(function (head) {
  head.firstElementChild.addEventListener('click', function () {
    const body = head.closest('table').tBodies[0], column = head.cellIndex;
    const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    head.parentNode.querySelectorAll('th').forEach(function (other) {
      other.removeAttribute('aria-sort');
    });
    head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
    const key = function (row) { return row.cells[column].textContent.trim(); };
    Array.from(body.rows).sort(function (a, b) {
      const x = Number(key(a)), y = Number(key(b));
      if (!isNaN(x) && !isNaN(y)) { return sign * (x - y); }
      return isNaN(x) - isNaN(y) || sign * key(a).localeCompare(key(b), 'en', {numeric: true});
    }).forEach(function (row) { body.appendChild(row); });
  });
});
// The engine's report shows a page in a frame, without the files beside it.
if (window !== window.parent) {
  document.querySelectorAll('a[href]').forEach(function (link) { link.replaceWith(link.text); });
}
