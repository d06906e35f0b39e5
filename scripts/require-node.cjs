// Stops with one line on a Node too old for Parley. Plain old JavaScript on purpose: it has to parse there.
var needed = 24;
var found = process.version;
var message = "Parley needs Node " + needed + " or newer and this is " + found;
if (!(parseInt(found.slice(1), 10) >= needed)) {
  process.stderr.write(message + ": npm ci brings one, if the node package may run its install script.\n");
  process.exit(1);
}
