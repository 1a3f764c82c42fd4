import config from '../../jest.config.mjs';

/** The tests that need programs of Debian: `npm run test:system`. */
export default {
  ...config,
  projects: config.projects.map((project) => ({
    ...project,
    roots: ['<rootDir>/test/system'],
    // Pages reach the database through the API; the documentation page, generated clients and the examples use none.
    testPathIgnorePatterns:
      project.displayName === 'embedded'
        ? []
        : ['/system/pages/', '/(swagger-ui|generated-clients|examples)\\.spec\\.ts$'],
  })),
};
