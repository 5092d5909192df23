UPDATE messages SET platform = (SELECT d.platform FROM destinations d WHERE d.id = messages.destination_id);
