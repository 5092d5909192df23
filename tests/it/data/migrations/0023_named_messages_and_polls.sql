UPDATE messages SET attempts = attempts;
