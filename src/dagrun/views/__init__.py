"""What people see: state in, data or text out."""
