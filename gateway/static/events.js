// The events in the browser.
const events = document.getElementById("events");
fetch(events.dataset.source)
  .then((answer) => answer.json())
  .then((schema) => {
    AsyncApiStandalone.render({ schema, config: { show: { sidebar: true, errors: true } } }, events);
  });
