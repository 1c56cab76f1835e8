// Comfort only: every page is whole without it. Keys, copying, choosing all rows, and reading a page anew.
'use strict';
const root = document.documentElement;
root.classList.add('scripted');
const main = document.getElementById('main');
const keys = document.getElementById('keys');

// Where a list or a page of findings is.
let here = -1;
const stops = () => [...main.querySelectorAll('.finding, tbody tr')];
function go(step) {
  const all = stops();
  if (!all.length) return;
  all.forEach((one) => one.classList.remove('here'));
  here = Math.min(all.length - 1, Math.max(0, here + step));
  all[here].classList.add('here');
  all[here].scrollIntoView({ block: 'nearest' });
  const link = all[here].matches('.finding') ? all[here] : all[here].querySelector('a');
  if (link) link.focus({ preventScroll: true });
}

function copy(text) {
  // On plain HTTP a browser has no clipboard for pages.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  return Promise.resolve();
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  copy(document.getElementById(button.dataset.copy).textContent).then(() => { button.textContent = 'Copied'; });
});

document.addEventListener('change', (event) => {
  if (event.target.id !== 'all-rows') return;
  main.querySelectorAll('input[name=item]').forEach((one) => { one.checked = event.target.checked; });
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, select, textarea')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const press = (id, act) => {
    const found = document.getElementById(id);
    if (found) { event.preventDefault(); act(found); }
  };
  switch (event.key) {
    case '?': keys.showModal(); break;
    case 'j': case 'J': go(1); break;
    case 'k': case 'K': go(-1); break;
    case '/': press('filter', (found) => found.focus()); break;
    case 'a': case 'A': press('accept', (found) => found.click()); break;
    case 'r': case 'R': press('reason', (found) => found.focus()); break;
    case 'n': case 'N': press('next', (found) => found.click()); break;
    case 'p': case 'P': press('pause', (found) => found.click()); break;
    default:
  }
});

// Reads the page anew every few seconds: not while it is hidden, paused, under the pointer or in use, and only where it says that it
// changes by itself.
const EVERY = 5000;
const pause = document.getElementById('pause');
let isPaused = false;
try { isPaused = localStorage.getItem('paused') === 'yes'; } catch { /* A browser may keep nothing. */ }
function tell() {
  if (!pause) return;
  pause.setAttribute('aria-pressed', String(isPaused));
  pause.textContent = isPaused ? 'Go on with updates' : 'Pause updates';
}
if (pause) {
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    try { localStorage.setItem('paused', isPaused ? 'yes' : 'no'); } catch { /* Likewise. */ }
    tell();
  });
}
tell();
const isInUse = () => document.hidden || isPaused || keys.open || main.matches(':hover') || main.contains(document.activeElement)
  || String(getSelection()) !== '' || main.querySelector('input:checked');
async function anew() {
  if (isInUse()) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (isInUse()) return;
    const news = page.getElementById('main');
    main.replaceChildren(...news.childNodes);
    if (!('live' in news.dataset)) delete main.dataset.live;
    document.getElementById('as-of').textContent = page.getElementById('as-of').textContent;
  } catch { /* The server is away; the page says of when it is. */ }
}
if ('live' in main.dataset) setInterval(() => { if ('live' in main.dataset) anew(); }, EVERY);
