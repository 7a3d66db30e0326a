'use strict';
const $ = id => document.getElementById(id);
const number = n => n == null ? '–' : Number(n).toLocaleString('en', { maximumFractionDigits: n < 10 ? 2 : 0 });
const fraction = x => x == null ? '–' : Number(x).toFixed(4);
const when = t => t ? new Date(t).toLocaleString() : '–';

function cell(row, content, className) {
  const td = row.insertCell();
  if (content instanceof Node) td.append(content); else td.textContent = content ?? '–';
  if (className) td.className = className;
  return td;
}

function fill(table, rows, draw, columns) {
  const body = $(table).tBodies[0];
  body.replaceChildren();
  for (const row of rows) draw(body.insertRow(), row);
  if (!rows.length) { const td = cell(body.insertRow(), 'none yet', 'empty'); td.colSpan = columns; }
}

function tiles(o) {
  const live = o.live ?? {};
  const items = [
    ['events applied', o.graph.interactions], ['users', o.graph.users], ['items', o.graph.items], ['edges', o.graph.edges],
    ['events/s', live.events_per_s], ['lag', live.lag], ['dead letters', live.dead_letters],
    ['lists', live.lists], ['event → list p50 / p99', live.event_to_list ? `${number(live.event_to_list.p50)} / ${number(live.event_to_list.p99)} ms` : '–'],
  ];
  $('tiles').replaceChildren(...items.map(([label, value]) => {
    const tile = document.createElement('div');
    tile.className = 'tile';
    const b = document.createElement('b'), span = document.createElement('span');
    b.textContent = typeof value === 'string' ? value : number(value);
    span.textContent = label;
    tile.append(b, span);
    return tile;
  }));
}

function chart(points) {
  if (!points?.length) { $('chart').textContent = 'no scored events yet'; return; }
  const w = 1100, h = 180, pad = 42;
  const top = Math.max(0.05, ...points.flatMap(p => [p.served, p.popularity])) * 1.1;
  const x = i => pad + (w - pad - 8) * (points.length === 1 ? 1 : i / (points.length - 1));
  const y = v => h - 20 - (h - 32) * v / top;
  const line = (key, color) => `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.map((p, i) => `${x(i).toFixed(1)},${y(p[key]).toFixed(1)}`).join(' ')}"/>`;
  const last = points.at(-1);
  $('chart').innerHTML = `<svg viewBox="0 0 ${w} ${h}" width="100%" role="img" aria-label="hit rate over time">
    ${[0, .5, 1].map(f => `<line x1="${pad}" x2="${w}" y1="${y(top * f)}" y2="${y(top * f)}" stroke="currentColor" opacity=".15"/><text x="2" y="${y(top * f) + 4}" font-size="11" fill="currentColor">${(top * f).toFixed(3)}</text>`).join('')}
    ${line('popularity', 'var(--pop)')}${line('served', 'var(--accent)')}
    <text x="${pad + 6}" y="14" font-size="12" fill="var(--accent)">served ${fraction(last.served)}</text>
    <text x="${pad + 130}" y="14" font-size="12" fill="var(--pop)">popularity ${fraction(last.popularity)}</text></svg>`;
}

function models(list) {
  fill('models', list, (row, m) => {
    cell(row, m.version);
    cell(row, m.status, m.status);
    cell(row, when(m.created_at));
    cell(row, m.parent ?? '–');
    cell(row, fraction(m.metrics.ndcg_10));
    cell(row, fraction(m.metrics.hr_10));
    cell(row, m.digest.slice(0, 12));
    const promote = document.createElement('button');
    promote.textContent = 'Promote';
    promote.onclick = () => act(`/v1/models/${m.version}/promote`, `Promote model ${m.version}?`);
    cell(row, m.status === 'champion' || m.status === 'failed' ? '' : promote);
  }, 8);
}

function runs(list) {
  fill('runs', list, (row, r) => {
    cell(row, when(r.requested_at));
    cell(row, r.reason);
    cell(row, r.status, r.status);
    cell(row, r.error ?? r.stage);
    const bar = document.createElement('progress');
    bar.value = r.fraction ?? 0;
    cell(row, bar);
    cell(row, r.version);
  }, 6);
}

async function act(url, question) {
  if (question && !confirm(question)) return;
  const response = await fetch(url, { method: 'POST' });
  const body = await response.json();
  $('said').textContent = response.ok ? body.message : `refused: ${body.detail ?? body.title}`;
  refresh();
}

async function refresh() {
  try {
    const response = await fetch('/v1/overview');
    if (!response.ok) throw new Error(`${response.status}`);
    const o = await response.json();
    $('health').textContent = 'live';
    $('health').className = '';
    tiles(o); chart(o.live?.hit_rate); models(o.models); runs(o.runs);
  } catch (e) {
    $('health').textContent = `no answer from the server (${e.message})`;
    $('health').className = 'down';
  }
}

function list(title, entries) {
  const div = document.createElement('div'), h = document.createElement('h3'), ol = document.createElement('ol');
  h.textContent = title;
  for (const [text, reason] of entries) {
    const li = document.createElement('li'), small = document.createElement('div');
    li.textContent = text;
    small.className = 'reason';
    small.textContent = reason;
    li.append(small);
    ol.append(li);
  }
  div.append(h, entries.length ? ol : 'none');
  return div;
}

$('lookup').onsubmit = async event => {
  event.preventDefault();
  const id = encodeURIComponent(new FormData(event.target).get('user'));
  const response = await fetch(`/v1/users/${id}`);
  const u = await response.json();
  if (!response.ok) { $('user').textContent = u.detail ?? u.title; return; }
  const titled = id => u.titles[id] || id;
  // A reason ends with the ids of the items it rests on.
  const why = i => {
    const ids = i.evidence.join(', ');
    return i.reason.endsWith(ids) ? i.reason.slice(0, i.reason.length - ids.length) + i.evidence.map(titled).join(', ') : i.reason;
  };
  $('user').replaceChildren(
    list('Newest events', u.recent.map(e => [e.title || e.item_id, `${e.type}${e.value == null ? '' : ' ' + e.value}, ${when(e.time)}`])),
    list(`List of model ${u.list?.model_version ?? '–'}`, (u.list?.items ?? []).map(i => [titled(i.item_id), `${i.channel}, ${why(i)}`])));
};
$('train').onclick = () => act('/v1/train');
$('finetune').onclick = () => act('/v1/train?fine_tune=true');
$('rollback').onclick = () => act('/v1/models/rollback', 'Put the previous champion back?');
refresh();
setInterval(refresh, 2000);
