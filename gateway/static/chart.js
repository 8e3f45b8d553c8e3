// Tier (steps, right) and points (line, left) over time. Times are days in Shanghai, told to uPlot as UTC midnights.
const place = document.getElementById("chart");
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();
const instant = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;

function seriesOf(data) {
  const days = new Set([...data.tiers.map((s) => s.from), ...data.points.map((p) => p.on)]);
  const xs = [...days].sort();
  if (data.until && xs.length && data.until > xs[xs.length - 1]) xs.push(data.until);
  if (xs.length === 0) return null;
  if (xs.length === 1) xs.push(new Date((instant(xs[0]) + 86400) * 1000).toISOString().slice(0, 10));
  let tier = null;
  let points = 0;
  const tiers = new Map(data.tiers.map((s) => [s.from, s.level]));
  const balances = new Map(data.points.map((p) => [p.on, Number(p.points)]));
  const rows = xs.map((day) => {
    tier = tiers.get(day) ?? tier;
    points = balances.get(day) ?? points;
    return [instant(day), points, tier];
  });
  return [0, 1, 2].map((column) => rows.map((row) => row[column]));
}

function draw(data) {
  const series = seriesOf(data);
  if (!series) return;
  const names = place.dataset.names.split(",");
  const language = place.dataset.language;
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--quiet"), grid, ticks: grid, font: "12px system-ui" };
  const show = (value) => (value == null ? "–" : value.toLocaleString(language, { maximumFractionDigits: 2 }));
  const stepped = uPlot.paths.stepped({ align: 1 });
  const xs = series[0];
  const short = xs[xs.length - 1] - xs[0] < 150 * 86400;
  const label = { year: "numeric", month: "short", timeZone: "UTC", ...(short && { day: "numeric" }) };
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height: 260,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { tier: { range: [-0.3, names.length - 0.7] } },
      axes: [
        { ...axis, values: (u, ticks) => ticks.map((t) => new Date(t * 1000).toLocaleDateString(language, label)), space: 90 },
        { ...axis, values: (u, ticks) => ticks.map(show), size: 70 },
        { ...axis, scale: "tier", side: 1, grid: { show: false }, splits: () => names.map((_, level) => level), values: (u, levels) => levels.map((level) => names[level]), size: 80 },
      ],
      series: [
        { label: place.dataset.day, value: (u, t) => (t == null ? "–" : new Date(t * 1000).toISOString().slice(0, 10)) },
        { label: place.dataset.points, stroke: colour("--accent"), width: 2, fill: colour("--accent-soft"), paths: stepped, points: { show: false }, value: (u, v) => show(v) },
        { label: place.dataset.tier, scale: "tier", stroke: colour("--gold"), width: 2, dash: [6, 3], paths: stepped, points: { show: false }, value: (u, v) => names[v] ?? "–" },
      ],
    },
    series,
    place,
  );
  addEventListener("resize", () => chart.setSize({ width: place.clientWidth, height: 260 }));
}

fetch(place.dataset.source)
  .then((answer) => answer.json())
  .then(draw);
