const { TRAFFY_URL = 'http://localhost:8000' } = process.env;

/** The browser reaches Traffy at the origin of the pages, so that their requests carry its cookies. */
export default {
  rewrites: () => [{ source: '/auth/:path*', destination: `${TRAFFY_URL}/:path*` }],
};
