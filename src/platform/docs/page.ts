/**
 * A strict policy for Swagger UI: everything from this origin, no inline script, no inline style. (Its components set
 * styles through the CSSOM, which the policy does not restrict.)
 */
export const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** @param assets the path under which the files of swagger-ui-dist are served. */
export function pageHtml(assets: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Traffy API</title>
<link rel="icon" type="image/png" href="${assets}favicon-32x32.png">
<link rel="stylesheet" href="${assets}swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<noscript>This page needs JavaScript. The specification is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<div id="swagger-ui"></div>
<script src="${assets}swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
`;
}

export const PAGE_CSS = `body { margin: 0; background: #fafafa; }
.swagger-ui .info { margin: 30px 0 20px; }
/* This is the only server. Without the server list, the bar is empty if there is nothing to authorize. */
.swagger-ui .scheme-container .servers-title, .swagger-ui .scheme-container .servers { display: none; }
.swagger-ui .scheme-container:not(:has(.auth-wrapper)) { display: none; }
`;

/**
 * The additions of this page to Swagger UI: it leaves cookies to the browser and stores tokens as a client would.
 *
 * @param bearerScheme the security scheme of the access token.
 */
export function pageScript(bearerScheme: string): string {
  return `'use strict';
const BEARER = ${JSON.stringify(bearerScheme)};
let refreshToken;

/**
 * A page can neither read nor write the cookies; the browser sends them. So there is nothing to authorize. For an
 * optional credential, the padlock must still show whether it is set.
 */
function withoutCookieSchemes(document) {
  const schemes = document.components?.securitySchemes ?? {};
  const isCookie = (name) => schemes[name]?.in === 'cookie';
  for (const item of Object.values(document.paths ?? {}))
    for (const operation of Object.values(item)) {
      operation.security = (operation.security ?? []).filter((requirement) => {
        const names = Object.keys(requirement);
        return names.length > 0 && !names.some(isCookie);
      });
    }
  for (const name of Object.keys(schemes)) if (isCookie(name)) delete schemes[name];
  // An empty list would still show the Authorize button.
  if (Object.keys(schemes).length === 0) delete document.components?.securitySchemes;
  return document;
}

const ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [
    {
      statePlugins: {
        spec: { wrapActions: { updateJsonSpec: (original) => (document) => original(withoutCookieSchemes(document)) } },
      },
    },
  ],
  layout: 'BaseLayout',
  requestInterceptor: (request) => {
    // The examples then work unchanged.
    if (refreshToken && typeof request.body === 'string')
      request.body = request.body.replace('trf_rt_example', refreshToken);
    return request;
  },
  responseInterceptor: (response) => {
    const { pathname, searchParams } = new URL(response.url, location.href);
    if (response.status !== 200) return response;
    if (pathname === '/login' || pathname === '/refresh') keep(response.body ?? {});
    if (pathname === '/logout' && searchParams.get('scope') !== 'others') keep({});
    return response;
  },
});

/** Sends the access token of a reply from now on, or no token if the reply has none. */
function keep({ access_token: accessToken, refresh_token: newRefreshToken }) {
  refreshToken = newRefreshToken;
  if (accessToken) ui.preauthorizeApiKey(BEARER, accessToken);
  else if (ui.authSelectors.authorized()?.has(BEARER)) ui.authActions.logout([BEARER]);
}
`;
}
