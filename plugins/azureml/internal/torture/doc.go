// Package torture holds the torture of the flavor on its fake.
package torture
