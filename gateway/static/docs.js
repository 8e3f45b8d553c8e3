// The REST interface in the browser; requests tried out there carry the page's token, as the console's own do.
const api = document.getElementById("api");
SwaggerUIBundle({
  url: api.dataset.source,
  domNode: api,
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    request.headers["X-CSRF-Token"] = api.dataset.csrf;
    return request;
  },
});
