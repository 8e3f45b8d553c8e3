// How far each service is behind and was: a line each, over the hours the gateway has seen.
const places = document.querySelectorAll(".trend");
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();
const hues = ["--accent", "--gold", "--good", "--warn", "--bad", "--quiet", "--ink"];

function draw(place, data) {
  const names = Object.keys(data.services);
  if (!data.at.length) return;
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = { stroke: colour("--quiet"), grid, ticks: grid, font: "12px system-ui" };
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Asia/Shanghai"),
      axes: [{ ...axis, space: 70 }, { ...axis, size: 60 }],
      series: [{}, ...names.map((name, n) => ({ label: name, stroke: colour(hues[n % hues.length]), width: 1.5, dash: n >= hues.length ? [4, 3] : [], points: { show: false } }))],
    },
    [data.at, ...names.map((name) => data.services[name][place.dataset.of])],
    place,
  );
  window.addEventListener("resize", () => chart.setSize({ width: place.clientWidth, height: 220 }));
}

const source = places[0].dataset.source;
fetch(source).then((answer) => answer.json()).then((data) => places.forEach((place) => draw(place, data)));
