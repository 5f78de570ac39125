// Runs Postman collections: node newman.mjs ENVIRONMENT COLLECTION... It prints a
// line of JSON for each: the requests with their HTTP statuses, bodies and assertions.
import newman from "newman";

const run = (environment, collection) =>
  new Promise((resolve, reject) => {
    newman.run({ environment, collection, timeoutRequest: 20000 }, (error, summary) => {
      if (error) return reject(error);
      const { failures, executions } = summary.run;
      resolve({
        requests: executions.map(({ item, response, assertions }) => ({
          name: item.name,
          code: response?.code ?? 0,
          body: response?.text() ?? "",
          assertions: (assertions ?? []).map(({ assertion }) => assertion),
        })),
        failures: failures.map(({ source, error }) => `${source?.name}: ${error.message}`),
      });
    });
  });

const [environment, ...collections] = process.argv.slice(2);
for (const collection of collections) console.log(JSON.stringify(await run(environment, collection)));
