// A server's use of @azure/identity: prints a token for the scope that it is given.
const { DefaultAzureCredential } = require("@azure/identity");

new DefaultAzureCredential().getToken(process.argv[2]).then(
  ({ token }) => process.stdout.write(token),
  (error) => {
    console.error(String(error));
    process.exitCode = 1;
  },
);
