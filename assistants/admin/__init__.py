"""An operator's commands, over the storage that the settings name. Nothing imports this room."""
