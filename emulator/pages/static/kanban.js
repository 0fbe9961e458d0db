/* Dragging a card to another column of the kanban. Columns are drawn anew while one looks: everything is delegated. */
'use strict';

(function () {
  let dragged = null;

  const column = (event) => event.target.closest && event.target.closest('.kanban [data-stage]');
  const mark = (wanted) => {
    for (const one of document.querySelectorAll('.kanban [data-stage]')) one.classList.toggle('drop', one === wanted);
  };

  async function move(board, item, stage) {
    const body = new URLSearchParams({ stage, dragged: '1' });
    const answer = await fetch(`${board.dataset.move}${item}/`, { method: 'POST', body });
    if (!answer.ok) window.Portal.toast(await answer.text(), 'bad');
    window.Portal.refreshParts();
  }

  document.addEventListener('dragstart', (event) => {
    const card = event.target.closest && event.target.closest('.kanban [data-item]');
    if (!card) return;
    dragged = card.dataset.item;
    event.dataTransfer.setData('text/plain', dragged);
    event.dataTransfer.effectAllowed = 'move';
  });
  document.addEventListener('dragover', (event) => {
    if (!dragged || !column(event)) return;
    event.preventDefault();
    mark(column(event));
  });
  document.addEventListener('dragend', () => {
    dragged = null;
    mark(null);
  });
  document.addEventListener('drop', (event) => {
    const target = column(event);
    if (!dragged || !target) return;
    event.preventDefault();
    move(target.closest('[data-move]'), dragged, target.dataset.stage);
    dragged = null;
    mark(null);
  });
})();
