// The peer that most Discord bots behind HTTP are built as: Express, and the signature check of npm's discord-interactions, which
// answers a PING by itself. Says where it listens.
const express = require("express");
const { verifyKeyMiddleware } = require("discord-interactions");

const app = express();
app.post("/discord/interactions", verifyKeyMiddleware(process.argv[2]), (request, response) => response.status(400).end());
const server = app.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
